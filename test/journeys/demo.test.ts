import { execFile } from "node:child_process";
import { createConnection } from "node:net";
import { promisify } from "node:util";
import t from "tap";
import { runCommand } from "../support/cli.ts";
import { freePort } from "../support/free-port.ts";
import { descendants, isAlive } from "../support/processes.ts";
import { startTestRedis } from "../support/redis.ts";
import { request } from "../support/request.ts";
import { openSse } from "../support/sse-client.ts";
import { until } from "../support/until.ts";
import { openWs } from "../support/ws-client.ts";

const run = promisify(execFile);

/** The demo would use a Redis that listens there, and this test must not write into one that is not its own. */
function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

t.test("the demo runs, says how to look at it, and leaves nothing behind after Ctrl-C", async (t) => {
  const [port, adminPort] = [await freePort(), await freePort()];
  const redis = (await isTaken(6379)) ? { REDIS_URL: (await startTestRedis(t)).url } : {};
  const demo = runCommand(t, ["demo"], { PORT: String(port), ADMIN_PORT: String(adminPort), ...redis });
  await demo.lines.next((line) => /Ctrl-C/.test(line), 60_000);
  const said = demo.lines.items.join("\n");

  const consoleUrl = new URL(/https?:\/\/\S+\/#\S+/.exec(said)?.[0] ?? "none");
  const tokens = consoleUrl.hash.slice(1).split(",");
  const base = consoleUrl.origin;
  t.equal(consoleUrl.port, String(port));
  t.equal(tokens.length, 2, "two tenants have a token each");
  const page = await request(base);
  t.equal(page.status, 200);
  t.match(page.headers["content-type"], /^text\/html/);

  const tenants = await Promise.all(
    tokens.map(async (token) => {
      const stream = await openSse(t, `${base}/stream`, { token });
      const socket = await openWs(t, `${base}/ws`, { token });
      const { tenant_id } = JSON.parse((await stream.next()).data);
      await socket.next();
      await stream.next(({ event }) => event === "order_created", 30_000);
      for (const topic of ["orders", "notifications", "system"]) {
        await socket.inbox.next((message) => message.topic === topic, 60_000);
      }
      return tenant_id;
    }),
  );
  t.equal(new Set(tenants).size, 2, `events of every topic arrive for ${tenants}`);

  const lines = said.split("\n").map((line) => line.trim());
  const follow = lines.find((line) => line.startsWith("curl -N"));
  const { stdout } = await run("/bin/sh", ["-c", `${follow} --max-time 2 --no-progress-meter; true`]);
  t.match(stdout, /^event: connected$/m, "the curl line to follow works when pasted");
  t.ok(
    lines.some((line) => /\bwss?:\/\/|--ws\b/.test(line)),
    "there is a line for a WebSocket too",
  );

  const started = await descendants(demo.pid);
  t.ok(started.length > 2, `it started ${started.length} processes`);
  process.kill(-demo.pid, "SIGINT");
  await demo.exited;
  await until("every process to be gone", () => !started.some(isAlive));
  await t.rejects(request(`${base}/health`), "nothing listens any more");
  t.notMatch(demo.output(), /Error|error:/);
});

t.test("the demo says so when its port is taken", async (t) => {
  const { url } = await startTestRedis(t);
  const { port } = await startTestRedis(t);
  const demo = runCommand(t, ["demo"], { PORT: String(port), ADMIN_PORT: String(await freePort()), REDIS_URL: url });
  t.not(await demo.exited, 0);
  t.match(demo.output(), new RegExp(`\\b${port}\\b`));
});
