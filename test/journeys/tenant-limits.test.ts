import t, { type Test } from "tap";
import { follow } from "../support/follow.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { connectToRedis, newTenant } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { startTestRedis } from "../support/redis.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";

const server = await startTestRedis(t);
const redis = connectToRedis(t, server);
const start = (t: Test, env: Readonly<Record<string, string>>) => startGateway(t, { redis: server, env });

async function untilFree(t: Test, gateway: Gateway, token: string): Promise<void> {
  const opened = () => follow(t, gateway, "/stream", { token }).catch(() => false as const);
  await until("a place to be free", opened);
}

/** Whether every one of many attempts, on both workers, is refused as over the quota. Whoever gets in leaves again. */
async function isFull(t: Test, gateway: Gateway, token: string): Promise<boolean> {
  const attempts = await onBothWorkers(async () => {
    const follower = await follow(t, gateway, "/stream", { token }).catch((error: Error) => error);
    if (!(follower instanceof Error)) follower.cut();
    return follower instanceof Error && follower.message.includes("quota_exceeded");
  });
  return attempts.every(Boolean);
}

t.test("a tenant's limits are changed while the gateway runs, and count who was there before", async (t) => {
  const gateway = await start(t, {});
  const tenant = "tenant: {with} odd/name*\n";
  const token = gateway.token({ tenant });
  const limit = (fields: object) => redis.hset(`ragline:limits:${tenant}`, fields);
  await Promise.all([1, 2, 3].map(() => follow(t, gateway, "/ws", { token })));
  await limit({ max_connections: "3" });
  await until("the limit to count on both workers", () => isFull(t, gateway, token));
  await follow(t, gateway, "/stream", { token: gateway.token({ tenant: newTenant() }) });
  await limit({ max_connections: "4" });
  await untilFree(t, gateway, token);
  t.ok(await isFull(t, gateway, token), "one more, and no other");
  await limit({ max_connections: "0", max_connections_per_user: "4" });
  await untilFree(t, gateway, gateway.token({ tenant, user: "someone-else" }));
  await until("the user's limit to count", () => isFull(t, gateway, token));
  await redis.del(`ragline:limits:${tenant}`);
  await untilFree(t, gateway, token);
});

t.test("a tenant publishes as many events as its rate lets it, over both workers", async (t) => {
  const gateway = await start(t, { RAGLINE_PUBLISH_RATE: "5" });
  const [tenant, other] = [newTenant(), newTenant()];
  const event = { topic: "orders", event_type: "order_created", payload: 1 };
  const publish = (tenant: string, body: unknown = event) =>
    request(`${gateway.url}/publish`, {
      method: "POST",
      token: gateway.token({ tenant, roles: ["publisher"] }),
      body,
    });
  const startedAt = performance.now();
  const answers = await Promise.all(Array.from({ length: 60 }, () => publish(tenant)));
  const seconds = (performance.now() - startedAt) / 1000;
  const taken = answers.filter(({ status }) => status === 202).length;
  t.ok(taken >= 5 && taken <= 6 + seconds * 5, `${taken} in ${seconds} s`);
  for (const { status, json, headers } of answers.filter(({ status }) => status !== 202)) {
    t.equal(status, 429);
    t.match(json, { error: { code: "rate_limited", message: String } });
    t.match(headers["retry-after"], /^[1-9]\d*$/);
  }
  t.equal((await publish(other)).status, 202, "another tenant has its own rate");
  await until("it to have waited long enough", async () => (await publish(tenant)).status === 202);
  t.equal((await publish(other, Array(50).fill(event))).status, 202, "a large request is owed for");
  const owing = await publish(other);
  t.equal(owing.status, 429);
  t.ok(Number(owing.headers["retry-after"]) > 5);
  await redis.hset(`ragline:limits:${other}`, { publish_rate: "0" });
  await until("the rate to be lifted", async () => (await publish(other)).status === 202);
});
