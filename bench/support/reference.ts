import { createConnection } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../src/cli/private-redis.ts";
import { endServer, type Server, spawnServer } from "./server.ts";

const READY_WITHIN_MS = 20_000;

/** Starts `references/NAME.ts`: the least a server can do, to compare the gateway with. */
export async function startReference(name: "uws" | "ws" | "node-http", redisUrl: string): Promise<Server> {
  const port = await freePort();
  const script = fileURLToPath(new URL(`./references/${name}.ts`, import.meta.url));
  const child = spawnServer(["--import=tsx", script, redisUrl, String(port)], {});
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    if (await answers(port)) return { port, pids: [child.pid!], stop: () => endServer(child) };
    await delay(50);
  }
  await endServer(child);
  throw new Error(`the reference ${name} did not start`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
