import t from "tap";
import { runCommand } from "../support/cli.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { request } from "../support/request.ts";
import { openSse } from "../support/sse-client.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { addEvent } from "../support/xadd.ts";

const { server, redis, gateway } = await startJourney(t);
const environment = { REDIS_URL: server.url, JWT_SECRET_KEY: gateway.secret, PORT: String(gateway.port) };

for (const [transport, path] of [
  ["--sse", "/stream/orders"],
  ["--ws", "/ws/orders"],
] as const) {
  t.test(`tail ${transport} follows a running gateway, and goes on after a cut`, async (t) => {
    const tenant = newTenant();
    const network = await startTcpProxy(t, gateway.port);
    const url = `http://127.0.0.1:${network.port}`;
    const tail = runCommand(t, ["tail", transport, "--url", url, "--token", gateway.token({ tenant })]);
    await until("it to be connected", () => /connected/i.test(tail.output()));
    await addEvent(redis, { tenant_id: tenant, payload: { n: 1 } });
    t.match(JSON.parse(await tail.lines.next()), { event_type: "order_created", data: { n: 1 } });
    network.cut(true);
    await addEvent(redis, { tenant_id: tenant, payload: { n: 2 } });
    network.accept();
    t.match(JSON.parse(await tail.lines.next(undefined, 30_000)), { data: { n: 2 } }, "what it missed comes first");
    t.equal(tail.lines.items.length, 2);
  });

  t.test(`tail ${transport} --path follows another path, and signs a token of its own`, async (t) => {
    const tenant = newTenant();
    const whose = ["--tenant", tenant, "--user", "anna"];
    const tail = runCommand(t, ["tail", transport, "--path", path, "--url", gateway.url, ...whose], environment);
    await until("it to be connected", () => /connected/i.test(tail.output()));
    await addEvent(redis, { topic: "system", event_type: "system_alert", tenant_id: tenant, payload: "not for it" });
    await addEvent(redis, { tenant_id: tenant, target_user_id: "anna", payload: "for it" });
    t.match(JSON.parse(await tail.lines.next()), { event_type: "order_created", data: "for it" });
  });

  t.test(`tail ${transport} ends with an error when its token is refused`, async (t) => {
    const tail = runCommand(t, ["tail", transport, "--url", gateway.url, "--token", "nonsense"]);
    t.ok(await tail.exited, "the exit code is not 0");
    t.match(tail.output(), /Invalid token/);
  });
}

t.test("token prints a token the gateway takes, with the roles asked for", async (t) => {
  const tenant = newTenant();
  const command = runCommand(t, ["token", "--tenant", tenant, "--user", "anna", "--role", "publisher"], environment);
  t.equal(await command.exited, 0);
  const token = gateway.watch(command.lines.items[0]!);
  t.equal(command.lines.items.length, 1, "and nothing else, so that a script can use it");
  const { exp, iat } = JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
  t.equal(exp - (iat ?? Math.floor(Date.now() / 1000)), 3600, "it lives an hour by default");
  const client = await openSse(t, `${gateway.url}/stream`, { token });
  t.match(JSON.parse((await client.next()).data), { tenant_id: tenant, user_id: "anna" });
  const body = { topic: "orders", event_type: "order_created", payload: 1 };
  t.equal((await request(`${gateway.url}/publish`, { method: "POST", token, body })).status, 202);
  t.equal((await client.next()).data, "1");

  const short = runCommand(t, ["token", "--tenant", tenant, "--user", "anna", "--ttl", "60"], environment);
  t.equal(await short.exited, 0);
  const payload = JSON.parse(Buffer.from(short.lines.items[0]!.split(".")[1]!, "base64url").toString());
  t.ok(payload.exp <= Math.ceil(Date.now() / 1000) + 60);
  t.notOk(payload.roles?.includes("publisher"));
});

t.test("publish adds an event and prints its id", async (t) => {
  const tenant = newTenant();
  const client = await openSse(t, `${gateway.url}/stream`, { token: gateway.token({ tenant }) });
  await client.next();
  const args = ["publish", "orders", "order_created", '{"n":1}', "--tenant", tenant];
  const command = runCommand(t, args, environment);
  t.equal(await command.exited, 0, command.output());
  t.match(command.lines.items[0], /^\d+-\d+$/);
  const { event, data } = await client.next();
  t.equal(event, "order_created");
  t.same(JSON.parse(data), { n: 1 });

  for (const wrong of [
    ["publish", "unknown", "order_created", "{}", "--tenant", tenant],
    ["publish", "orders", "order_created", "{", "--tenant", tenant],
    ["publish", "orders", "order_created", "{}"],
  ]) {
    t.ok(await runCommand(t, wrong, environment).exited, `refused: ${wrong.join(" ")}`);
  }
});

t.test("config prints every setting and where it came from, and no secret", async (t) => {
  const url = "redis://user:very-secret-password@127.0.0.1:6379/0";
  const command = runCommand(t, ["config"], { ...environment, REDIS_URL: url, RAGLINE_WORKERS: "3" });
  t.equal(await command.exited, 0, command.output());
  const lineOf = (name: string) => command.lines.items.find((line) => new RegExp(`^\\W*${name}\\b`).test(line)) ?? "";
  t.match(lineOf("RAGLINE_WORKERS"), /\b3\b.*environment/);
  t.match(lineOf("RAGLINE_DRAIN_SECONDS"), /\b20\b.*default/);
  for (const name of ["HOST", "CORS_ORIGINS", "RAGLINE_STALL_SECONDS", "RAGLINE_TLS_CERT_FILE", "LOG_LEVEL"]) {
    t.ok(lineOf(name), `${name} is listed`);
  }
  t.notOk(command.output().includes(gateway.secret) || command.output().includes("very-secret-password"));
});

t.test("config and start exit with 78 when a setting is wrong", async (t) => {
  for (const name of ["config", "start"]) {
    const command = runCommand(t, [name], { ...environment, PORT: "none", LOG_LEVEL: "loud" });
    t.equal(await command.exited, 78, name);
    t.match(command.output(), /PORT/);
    t.match(command.output(), /LOG_LEVEL/);
  }
});

t.test("without or with an unknown command it says what there is, and fails", async (t) => {
  for (const args of [[], ["nonsense"]]) {
    const command = runCommand(t, args);
    t.ok(await command.exited, args.join(" "));
    for (const name of ["start", "demo", "token", "publish", "tail", "config"]) t.match(command.output(), name);
  }
});
