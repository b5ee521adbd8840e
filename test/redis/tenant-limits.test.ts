import { setTimeout as delay } from "node:timers/promises";
import t from "tap";
import { limitsKey, publishRateKey } from "../../src/redis/keys.ts";
import { readLimits, takePublishRate } from "../../src/redis/tenant-limits.ts";
import { until } from "../support/until.ts";
import { openRedis } from "../worker/redis-fixture.ts";

t.test("a tenant's limits are the fields of its hash", async (t) => {
  const { client } = await openRedis(t);
  t.strictSame(await readLimits(client, "acme"), [null, null, null]);
  await client.hset(limitsKey("acme"), { publish_rate: "7", max_connections: "5", other: "1" });
  t.strictSame(await readLimits(client, "acme"), ["5", null, "7"]);
  t.strictSame(await readLimits(client, "acme:"), [null, null, null]);
});

t.test("a second's worth of events is let through at once, and then they have to wait", async (t) => {
  const { client } = await openRedis(t);
  let taken = 0;
  let waitMs = 0;
  while (waitMs === 0 && taken < 100) {
    waitMs = await takePublishRate(client, "acme", 1, 10);
    if (waitMs === 0) taken++;
  }
  t.ok(taken >= 10 && taken < 100, `${taken} at once`);
  t.ok(waitMs > 0 && waitMs <= 100, `one more after ${waitMs} ms`);
  t.equal(await takePublishRate(client, "globex", 1, 10), 0, "another tenant has its own");
  await delay(waitMs);
  t.equal(await takePublishRate(client, "acme", 1, 10), 0);
});

t.test("a large request is let through and owed for", async (t) => {
  const { client } = await openRedis(t);
  t.equal(await takePublishRate(client, "acme", 50, 10), 0);
  const waitMs = await takePublishRate(client, "acme", 1, 10);
  t.ok(waitMs > 3_000 && waitMs <= 4_000, `${waitMs} ms`);
  const left = await client.pttl(publishRateKey("acme"));
  t.ok(left > 4_000 && left <= 6_000, "and forgotten once it is paid for");
});

t.test("a tenant that has waited may publish again", async (t) => {
  const { client } = await openRedis(t);
  await takePublishRate(client, "acme", 150, 100);
  await until("the debt to be paid", async () => (await takePublishRate(client, "acme", 1, 100)) === 0);
});
