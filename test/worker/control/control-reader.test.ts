import t, { type Test } from "tap";
import { openLog } from "../../../src/observe/log.ts";
import { addRevocation } from "../../../src/redis/control-stream.ts";
import { CONTROL_KEY } from "../../../src/redis/keys.ts";
import { ControlReader } from "../../../src/worker/control/control-reader.ts";
import { until } from "../../support/until.ts";
import { type OpenRedis, openRedis } from "../redis-fixture.ts";

const second = () => Math.floor(Date.now() / 1000);

function follow(t: Test, { client }: OpenRedis): { reader: ControlReader; tenants: string[] } {
  const tenants: string[] = [];
  const reader = new ControlReader({
    client,
    onRevoked: (revocations) => tenants.push(...revocations.map(({ tenant }) => tenant)),
    now: () => Date.now(),
    log: openLog("silent", {}),
  });
  t.teardown(() => reader.stop());
  return { reader, tenants };
}

t.test("what was revoked before the start is known before anyone is let in", async (t) => {
  const redis = await openRedis(t);
  for (let n = 0; n < 2_500; n++) await addRevocation(redis.client, { tenant: `t${n}`, until: second() + 60 });
  const { reader, tenants } = follow(t, redis);
  await reader.whenCaughtUp();
  t.equal(tenants.length, 2_500);
  t.ok(reader.isReading);
});

t.test("what is revoked later follows, and what makes no sense stops nothing", async (t) => {
  const redis = await openRedis(t);
  const { reader, tenants } = follow(t, redis);
  await reader.whenCaughtUp();
  await redis.client.xadd(CONTROL_KEY, "*", "op", "nonsense");
  await addRevocation(redis.client, { tenant: "acme", until: second() + 60 });
  await until("the revocation", () => tenants.length > 0);
  t.same(tenants, ["acme"]);
});

t.test("what ran out is not told, and removed from the stream only when every clock must have passed it", async (t) => {
  const redis = await openRedis(t);
  await addRevocation(redis.client, { tenant: "long over", until: second() - 3_600 });
  await addRevocation(redis.client, { tenant: "just over", until: second() - 5 });
  await addRevocation(redis.client, { tenant: "in effect", until: second() + 60 });
  const { reader, tenants } = follow(t, redis);
  await reader.whenCaughtUp();
  t.same(tenants, ["in effect"]);
  t.equal(await redis.client.xlen(CONTROL_KEY), 2);
});

t.test("a stream that was deleted and begun anew is read from its start", async (t) => {
  const redis = await openRedis(t);
  await redis.client.xadd(CONTROL_KEY, "99999999999999-0", "op", "revoke", "tenant_id", "a", "until", "99999999999");
  const { reader, tenants } = follow(t, redis);
  await reader.whenCaughtUp();
  await redis.client.del(CONTROL_KEY);
  await addRevocation(redis.client, { tenant: "b", until: second() + 60 });
  await until("the new stream's entry", () => tenants.includes("b"));
  t.same(tenants, ["a", "b"]);
});

t.test("a key of another kind is not followed, and nobody is let in", async (t) => {
  const redis = await openRedis(t);
  await redis.client.set(CONTROL_KEY, "text");
  const { reader } = follow(t, redis);
  await t.rejects(reader.whenCaughtUp(), { code: "unavailable" });
  t.notOk(reader.isReading);
  await redis.client.del(CONTROL_KEY);
  await until("the stream to be read", () => reader.isReading);
});
