import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports the kernel gives to outgoing connections, which could take a port between our look and its use. */
const [LOWEST, HIGHEST] = [12_000, 32_000];

export async function freePort(): Promise<number> {
  while (true) {
    const port = randomInt(LOWEST, HIGHEST);
    const server = createServer().listen(port);
    const [outcome] = await Promise.race([
      once(server, "listening").then(() => ["free"]),
      once(server, "error").catch((error: Error) => [error]),
    ]);
    server.close();
    if (outcome === "free") return port;
  }
}
