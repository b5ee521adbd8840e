import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import t, { type Test } from "tap";
import { askRedis, startPrivateRedis } from "../../src/cli/private-redis.ts";
import { ensureRedis } from "../../src/cli/redis-server.ts";
import { startTestRedis } from "../support/redis.ts";

const repository = join(import.meta.dirname, "../..");

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(10);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const folderOf = async (port: number) =>
  /\/\S*ragline-redis-\S+/.exec(await askRedis(port, "CONFIG GET dir"))?.[0] ?? "";
const pathOf = (program: string) =>
  execFileSync("/bin/sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
const nothing = () => {};

/** A PATH, for the rest of the test, with these programs only: the name of the real one, or a shell script. */
function usePath(t: Test, programs: Record<string, string>): string {
  const folder = t.testdir({});
  for (const [name, source] of Object.entries({ env: "env", rm: "rm", ln: "ln", ...programs })) {
    if (source.startsWith("#!")) writeFileSync(join(folder, name), source, { mode: 0o755 });
    else symlinkSync(pathOf(source), join(folder, name));
  }
  const before = process.env.PATH;
  process.env.PATH = folder;
  t.teardown(() => {
    process.env.PATH = before;
  });
  return folder;
}

t.test("a private Redis is empty, listens on this machine only and saves nothing", async (t) => {
  const redis = await startTestRedis(t);
  t.equal(redis.url, `redis://127.0.0.1:${redis.port}/0`);
  t.match(await askRedis(redis.port, "DBSIZE"), /^:0\r\n/);
  t.match(await askRedis(redis.port, "CONFIG GET bind"), /\r\n127\.0\.0\.1\r\n/);
  t.match(await askRedis(redis.port, "CONFIG GET save"), /\r\n\$0\r\n\r\n/);
  t.match(await askRedis(redis.port, "CONFIG GET appendonly"), /\r\nno\r\n/);
});

t.test("stopping ends the server, removes its directory and may be repeated", async (t) => {
  const { port, pid, stop } = await startPrivateRedis();
  const folder = await folderOf(port);
  t.ok(existsSync(folder));
  await Promise.all([stop(), stop()]);
  await stop();
  t.notOk(isRunning(pid));
  t.notOk(existsSync(folder));
  t.equal(await askRedis(port, "PING"), "");
});

t.test("a server that hangs is stopped too", async (t) => {
  const { pid, stop } = await startPrivateRedis();
  process.kill(pid, "SIGSTOP");
  await stop();
  t.notOk(isRunning(pid));
});

t.test("a killed Redis can be replaced on the same port", async (t) => {
  const first = await startTestRedis(t);
  await first.kill();
  const second = await startTestRedis(t, { port: first.port });
  t.equal(second.port, first.port);
  t.not(second.pid, first.pid);
  t.match(await askRedis(second.port, "PING"), /^\+PONG/);
});

t.test("arguments are passed on, a password among them", async (t) => {
  const small = await startTestRedis(t, { args: ["--maxmemory", "5mb"] });
  t.match(await askRedis(small.port, "CONFIG GET maxmemory"), /\r\n5242880\r\n/);
  const locked = await startTestRedis(t, { args: ["--requirepass", "open sesame"] });
  t.match(await askRedis(locked.port, "PING"), /^-NOAUTH/);
});

t.test("many can be started at once, each on a port of its own", async (t) => {
  const all = await Promise.all(Array.from({ length: 8 }, () => startTestRedis(t)));
  t.equal(new Set(all.map(({ port }) => port)).size, all.length);
  for (const { port, pid } of all) t.match(await askRedis(port, "INFO server"), new RegExp(`process_id:${pid}\\r`));
});

t.test("a server that cannot start is reported with what it said", async (t) => {
  await t.rejects(startPrivateRedis({ args: ["--nonsense", "1"] }), { message: /Bad directive/ });
});

t.test("another server on the wanted port is not taken for ours", async (t) => {
  const { port } = await startTestRedis(t);
  await t.rejects(startPrivateRedis({ port }), { message: /address already in use/i });
});

t.test("nothing is left when the process that started it ends, however it ends", async (t) => {
  const endings: Record<string, { code?: string; signal?: NodeJS.Signals }> = {
    "with nothing more to do": {},
    "by process.exit": { code: "process.exit(3)" },
    "by an uncaught error": { code: "setTimeout(() => { throw new Error('as expected') })" },
    "by SIGINT": { code: "setInterval(() => {}, 1e6)", signal: "SIGINT" },
    "by SIGTERM": { code: "setInterval(() => {}, 1e6)", signal: "SIGTERM" },
    "by SIGKILL": { code: "setInterval(() => {}, 1e6)", signal: "SIGKILL" },
  };
  for (const [how, { code = "", signal }] of Object.entries(endings)) {
    const program = `
      const { askRedis, startPrivateRedis } = await import("./src/cli/private-redis.ts");
      const { port, pid } = await startPrivateRedis();
      const dir = (await askRedis(port, "CONFIG GET dir")).split("\\r\\n")[4];
      process.stdout.write(JSON.stringify({ pid, dir }) + "\\n", () => { ${code} });`;
    const child = spawn(process.execPath, ["--import=tsx", "--input-type=module", "-e", program], {
      cwd: repository,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const ended = once(child, "exit");
    const [line] = await once(child.stdout, "data");
    const { pid, dir } = JSON.parse(String(line));
    t.match(dir, /ragline-redis-/);
    if (signal) child.kill(signal);
    await ended;
    await until(() => !isRunning(pid) && !existsSync(dir));
    t.pass(how);
  }
});

t.test("the Redis of REDIS_URL comes first and is left alone", async (t) => {
  const redis = await ensureRedis({ demo: true, redisUrl: "redis://redis.example:1/2", log: t.fail });
  t.match(redis, { url: "redis://redis.example:1/2", how: "from REDIS_URL" });
  await redis.stop();
});

t.test("the demo uses a Redis that is running here, and leaves it running; a test does not", async (t) => {
  const running = await startTestRedis(t);
  const options = { log: t.fail, localPort: running.port };
  const demo = await ensureRedis({ ...options, demo: true });
  t.match(demo, { url: running.url, how: `running on 127.0.0.1:${running.port}` });
  await demo.stop();
  t.match(await askRedis(running.port, "PING"), /^\+PONG/);

  const own = await ensureRedis({ ...options, demo: false });
  t.teardown(own.stop);
  t.not(own.url, running.url);
});

t.test("the demo starts a private one when what listens here is no Redis, or asks for a password", async (t) => {
  const web = createServer((socket) => socket.on("error", nothing).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  t.teardown(() => web.close());
  const locked = await startTestRedis(t, { args: ["--requirepass", "x"] });
  for (const localPort of [(web.address() as { port: number }).port, locked.port]) {
    const redis = await ensureRedis({ demo: true, log: t.fail, localPort });
    t.match(redis.how, /^private \S+-server on port \d+$/);
    await redis.stop();
    t.equal(await askRedis(Number(new URL(redis.url).port), "PING"), "");
  }
});

t.test("valkey-server serves as well", async (t) => {
  const folder = usePath(t, { "valkey-server": "redis-server" });
  const redis = await ensureRedis({ demo: false, log: t.fail });
  await redis.stop();
  t.ok(redis.how.startsWith(`private ${join(folder, "valkey-server")} on port`));
});

t.test("without a server, the package is installed where that is possible, after a line that says so", async (t) => {
  const server = pathOf("redis-server");
  const folder = usePath(t, {
    sudo: '#!/bin/sh\nshift; exec "$@"',
    true: "#!/bin/sh",
    "apt-get": `#!/bin/sh
      here="\${0%/*}"
      echo "$DEBIAN_FRONTEND: $*" >> "$here/apt.log"
      [ "$1" = update ] || ln -s ${server} "$here/redis-server"`,
  });
  const lines: string[] = [];
  const ensured = ensureRedis({ demo: false, log: (line) => lines.push(line) });
  if (!existsSync("/etc/debian_version")) {
    await t.rejects(ensured, { message: /apt-get install redis-server/ });
    return;
  }
  const redis = await ensured;
  await redis.stop();
  t.equal(lines.length, 1);
  t.match(lines[0], /^No redis-server in PATH: installing it \(.*apt-get install -y redis-server\)$/);
  const calls = readFileSync(join(folder, "apt.log"), "utf8");
  t.equal(calls, "noninteractive: update\nnoninteractive: install -y redis-server\n");
  t.ok(redis.how.startsWith(`private ${join(folder, "redis-server")} on port`));
});

t.test("where nothing can be installed, the error names the command that would", async (t) => {
  usePath(t, {});
  const expected = { message: /^there is no redis-server .*apt-get install redis-server.*REDIS_URL/ };
  await t.rejects(ensureRedis({ demo: false, log: t.fail }), expected);
  await t.rejects(startPrivateRedis(), { message: /neither redis-server nor valkey-server is in PATH/ });
});

t.test("when installing fails, the error says why and names the command", async (t) => {
  usePath(t, {
    "apt-get": "#!/bin/sh\necho 'E: no network' >&2; exit 100",
    sudo: '#!/bin/sh\nshift; exec "$@"',
    true: "#!/bin/sh",
  });
  const reason = existsSync("/etc/debian_version") ? /E: no network.*apt-get install/s : /apt-get install/;
  await t.rejects(ensureRedis({ demo: false, log: nothing }), { message: reason });
});
