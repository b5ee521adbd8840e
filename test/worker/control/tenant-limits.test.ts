import t, { type Test } from "tap";
import { openLog } from "../../../src/observe/log.ts";
import { limitsKey } from "../../../src/redis/keys.ts";
import { TenantLimits } from "../../../src/worker/control/tenant-limits.ts";
import { type OpenRedis, openRedis } from "../redis-fixture.ts";

const DEFAULTS = { maxConnections: 100, maxConnectionsPerUser: 10, publishRate: 0 };

async function open(t: Test): Promise<OpenRedis & { limits: TenantLimits; clock: { ms: number } }> {
  const redis = await openRedis(t);
  const clock = { ms: 0 };
  const options = { client: redis.client, defaults: DEFAULTS, log: openLog("silent", {}), now: () => clock.ms };
  return { ...redis, clock, limits: new TenantLimits(options) };
}

t.test("a tenant of which nothing is said has the settings' limits", async (t) => {
  const { limits } = await open(t);
  t.strictSame(await limits.of("acme"), DEFAULTS);
});

t.test("what the tenant's hash says comes first, and 0 is unlimited", async (t) => {
  const { client, limits } = await open(t);
  await client.hset(limitsKey("a:*\n{b}"), { max_connections: "0", publish_rate: "5" });
  t.strictSame(await limits.of("a:*\n{b}"), { maxConnections: 0, maxConnectionsPerUser: 10, publishRate: 5 });
  t.strictSame(await limits.of("a:*"), DEFAULTS);
});

t.test("what is no whole number is passed over", async (t) => {
  const { client, limits, clock } = await open(t);
  for (const wrong of ["", "-1", "1.5", "many", "1e3", "9".repeat(20)]) {
    clock.ms += 1_000;
    await client.hset(limitsKey("acme"), { max_connections: wrong });
    t.strictSame(await limits.of("acme"), DEFAULTS, wrong);
  }
});

t.test("a change takes effect after a second", async (t) => {
  const { client, limits, clock } = await open(t);
  await limits.of("acme");
  await client.hset(limitsKey("acme"), { max_connections: "1" });
  clock.ms = 999;
  t.match(await limits.of("acme"), { maxConnections: 100 });
  clock.ms = 1_000;
  t.match(await limits.of("acme"), { maxConnections: 1 });
});

t.test("while Redis is away what was read last counts", async (t) => {
  const { client, limits, clock } = await open(t);
  await client.hset(limitsKey("acme"), { max_connections: "1", publish_rate: "5" });
  await limits.of("acme");
  client.disconnect();
  clock.ms = 60_000;
  t.match(await limits.of("acme"), { maxConnections: 1 });
  t.strictSame(await limits.of("globex"), DEFAULTS);
  await t.rejects(limits.takePublishRate("acme", 1), { code: "unavailable" });
});

t.test("a tenant over its publish rate is told how long to wait", async (t) => {
  const { client, limits } = await open(t);
  await limits.takePublishRate("globex", 1_000_000);
  await client.hset(limitsKey("acme"), { publish_rate: "10" });
  await limits.takePublishRate("acme", 50);
  await t.rejects(limits.takePublishRate("acme", 1), { code: "rate_limited", retryAfterSeconds: 4 });
});
