import { readFileSync } from "node:fs";
import t from "tap";
import { runCommand } from "../support/cli.ts";
import { follow } from "../support/follow.ts";
import { startGateway } from "../support/gateway.ts";
import { newTenant } from "../support/journey.ts";
import { startTestRedis } from "../support/redis.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { openWs } from "../support/ws-client.ts";

const PASSWORD = "a-password-nobody-may-see";
const server = await startTestRedis(t, { args: ["--requirepass", PASSWORD] });
const url = new URL(server.url);
url.password = PASSWORD;
const redis = { url: url.href };
// The test fails when one of its tokens or the secret is in what it wrote, at any level.
const gateway = await startGateway(t, { redis, env: { LOG_LEVEL: "trace" } });
gateway.watch(PASSWORD);
const tenant = newTenant();
const token = gateway.token({ tenant, roles: ["publisher", "admin"] });
const all = [PASSWORD, gateway.secret, token];

function commandLine(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
}

t.test("no secret is in metrics, status, health or an answer", async (t) => {
  await follow(t, gateway, "/ws", { token });
  const paths = ["/metrics", "/status", "/health/ready", "/health/live", `/nothing?token=${token}`];
  const urls = paths.map((path) => gateway.adminUrl + path);
  const publics = [`/stream?types=${"x".repeat(300)}&token=${token}`, `/nothing/${token}`, `/publish?token=${token}`];
  for (const url of [...urls, ...publics.map((path) => gateway.url + path)]) {
    const { text, headers } = await request(url, { token });
    for (const secret of all)
      t.notOk((text + JSON.stringify(headers)).includes(secret), new URL(url).pathname.slice(0, 9));
  }
});

t.test("no secret is in the title of a process", async (t) => {
  const { json } = await request(`${gateway.adminUrl}/status`);
  const workers = (json as { workers: { pid: number }[] }).workers.map(({ pid }) => pid);
  const tail = runCommand(t, ["tail", "--url", gateway.url, "--token", token]);
  await until("tail to be connected", () => tail.output().includes("connected"));
  for (const pid of [...workers, gateway.process.pid!, tail.pid]) {
    for (const secret of all) t.notOk(commandLine(pid).includes(secret), commandLine(pid).slice(0, 60));
  }
  await tail.stop("SIGINT");
  t.notOk(tail.output().includes(token));
});

t.test("no secret is in what the commands say, right or wrong", async (t) => {
  const env = { REDIS_URL: redis.url, JWT_SECRET_KEY: gateway.secret };
  const wrong = { ...env, PORT: "x", REDIS_MODE: "cluster", REDIS_URL: `${redis.url}/9,${redis.url}` };
  for (const [args, settings] of [
    [["config"], env],
    [["config"], wrong],
    [["publish", "orders", "order_created", "1", "--tenant", "a"], wrong],
    [["tail", "--url", "http://127.0.0.1:1", "--token", token], env],
    [["revoke", "--tenant", "nobody"], { ...env, REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:1` }],
    [
      ["publish", "orders", "a", "1", "--tenant", "a"],
      { ...env, REDIS_URL: redis.url.replace(PASSWORD, `${PASSWORD}2`) },
    ],
  ] as const) {
    const { exited, output } = runCommand(t, args, settings);
    await exited;
    for (const secret of all) t.notOk(output().includes(secret), args.join(" ").slice(0, 20));
  }
});

t.test("what goes wrong is logged with tenant and connection, and without the token", async (t) => {
  const client = await openWs(t, `${gateway.url}/ws?token=${token}`);
  const { data } = await client.next();
  const { client_id } = data as { client_id: string };
  client.send({ type: "refresh", token: `${token}x` });
  client.sendRaw("x".repeat(20_000));
  await client.closed;
  const line = await until("the log line", () =>
    gateway
      .output()
      .split("\n")
      .find((text) => text.includes(client_id)),
  );
  t.match(JSON.parse(line), { tenant, connection: client_id, code: "too_large" });
});
