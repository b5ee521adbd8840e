import t, { type Test } from "tap";
import { follow } from "../support/follow.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { newTenant } from "../support/journey.ts";
import { startTestRedis } from "../support/redis.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { openWs } from "../support/ws-client.ts";

const server = await startTestRedis(t);
const start = (t: Test, env: Readonly<Record<string, string>>) => startGateway(t, { redis: server, env });

async function refusedOnBoth(t: Test, gateway: Gateway, token: string, status: number, code: string, close: number) {
  for (const path of ["/stream", "/stream/orders"]) {
    const answer = await request(gateway.url + path, { token });
    t.equal(answer.status, status);
    t.match(answer.json, { error: { code, message: String } });
    t.match(answer.headers["retry-after"], /^\d+$/);
  }
  const client = await openWs(t, `${gateway.url}/ws`, { token });
  t.match(await client.next(), { type: "error", code, message: String });
  t.equal((await client.closed).code, close);
}

async function untilFree(t: Test, gateway: Gateway, token: string): Promise<void> {
  const opened = () =>
    follow(t, gateway, "/stream", { token }).then(
      () => true,
      () => false,
    );
  await t.resolves(until("a place to be free", opened));
}

/** Resolves once the metric of refusals says so. */
async function counted(t: Test, { adminUrl }: Gateway, code: string, count: number): Promise<void> {
  const line = `ragline_gateway_refusals_total{code="${code}"} ${count}\n`;
  const isThere = async () => (await request(`${adminUrl}/metrics`)).text.includes(line);
  await t.resolves(until(`${count} refusals of ${code}`, isThere));
}

t.test("a tenant's quota holds over both workers, and frees places again", async (t) => {
  const gateway = await start(t, { RAGLINE_MAX_CONNECTIONS_PER_TENANT: "8" });
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const followers = await Promise.all(
    Array.from({ length: 8 }, (_, n) => follow(t, gateway, n % 2 === 0 ? "/stream" : "/ws", { token })),
  );
  for (let n = 0; n < 8; n++) await refusedOnBoth(t, gateway, token, 429, "quota_exceeded", 4429);
  await counted(t, gateway, "quota_exceeded", 24);
  await follow(t, gateway, "/stream", { token: gateway.token({ tenant: newTenant() }) });
  followers[0]!.cut();
  await untilFree(t, gateway, token);
});

t.test("a user's quota holds over both workers, and leaves other users alone", async (t) => {
  const gateway = await start(t, { RAGLINE_MAX_CONNECTIONS_PER_USER: "4" });
  const tenant = newTenant();
  const anna = gateway.token({ tenant, user: "anna" });
  const followers = await Promise.all([1, 2, 3, 4].map(() => follow(t, gateway, "/ws", { token: anna })));
  for (let n = 0; n < 8; n++) await refusedOnBoth(t, gateway, anna, 429, "quota_exceeded", 4429);
  await follow(t, gateway, "/ws", { token: gateway.token({ tenant, user: "bert" }) });
  await follow(t, gateway, "/ws", { token: gateway.token({ tenant: newTenant(), user: "anna" }) });
  followers[0]!.cut();
  await untilFree(t, gateway, anna);
});

t.test("over the connect rate a connection is refused as overloaded, with Retry-After", async (t) => {
  const gateway = await start(t, { RAGLINE_CONNECT_RATE: "5" });
  const token = gateway.token({ tenant: newTenant() });
  const answers = await Promise.all(Array.from({ length: 60 }, () => request(`${gateway.url}/stream?token=bad`)));
  const refused = answers.filter(({ status }) => status === 503);
  t.ok(refused.length > 20, `${refused.length} of 60 at once were refused`);
  for (const { json, headers } of refused) {
    t.match(json, { error: { code: "overloaded" } });
    t.match(headers["retry-after"], /^\d+$/);
  }
  const sockets = await Promise.all(Array.from({ length: 40 }, () => openWs(t, `${gateway.url}/ws`, { token })));
  const firsts = await Promise.all(sockets.map(async (socket) => ({ socket, first: await socket.next() })));
  const overloaded = firsts.filter(({ first }) => first.type === "error");
  t.ok(overloaded.length > 10, `${overloaded.length} of 40 WebSockets at once were refused`);
  for (const { socket, first } of overloaded) {
    t.equal(first.code, "overloaded");
    t.equal((await socket.closed).code, 1013);
  }
  await untilFree(t, gateway, token);
});

t.test("a client that sends too many messages is closed as rate_limited", async (t) => {
  const gateway = await start(t, { RAGLINE_CLIENT_MESSAGE_RATE: "10" });
  const token = gateway.token({ tenant: newTenant() });
  const client = await openWs(t, `${gateway.url}/ws`, { token });
  const calm = await openWs(t, `${gateway.url}/ws`, { token });
  await client.next();
  await calm.next();
  for (let n = 0; n < 200; n++) client.send({ type: "ping" });
  t.match(await client.next(({ type }) => type === "error"), { code: "rate_limited", message: String });
  t.equal((await client.closed).code, 4429);
  calm.send({ type: "ping" });
  t.match(await calm.next(), { type: "pong" });
  await counted(t, gateway, "rate_limited", 1);
  await request(`${gateway.url}/stream`);
  await counted(t, gateway, "auth_required", 1);
  await request(`${gateway.url}/nothing-there`);
  await counted(t, gateway, "not_found", 1);
  calm.sendRaw("nonsense");
  t.match(await calm.next(), { code: "bad_request" });
  await counted(t, gateway, "bad_request", 1);
});
