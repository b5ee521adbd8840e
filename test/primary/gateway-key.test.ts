import t, { type Test } from "tap";
import { openLog } from "../../src/observe/log.ts";
import { GatewayKey } from "../../src/primary/gateway-key.ts";
import { allUnits, unitStreams } from "../../src/protocol/stream.ts";
import { aliveKey, groupName, SEEN_KEY } from "../../src/redis/keys.ts";
import { until } from "../support/until.ts";
import { openRedis } from "../worker/redis-fixture.ts";

const LAYOUT = { prefix: "s:", topics: ["orders"], partitions: 2 };
const KEYS = allUnits(LAYOUT).flatMap((unit) => unitStreams(LAYOUT, unit).map(({ key }) => key));
const GROUP = groupName("here", "1");

/** A gateway whose connection is not ready yet, and another connection to look with. */
async function openGateway(t: Test) {
  const { client, connect } = await openRedis(t);
  const own = connect();
  return { client, own, key: new GatewayKey(own, GROUP, openLog("silent", {})) };
}

t.test("as soon as Redis is there the gateway says that it is alive, for less than a minute at a time", async (t) => {
  const { client, key } = await openGateway(t);
  t.teardown(() => key.leave(LAYOUT));
  const seen = await until("the sign of life", async () => (await client.zscore(SEEN_KEY, GROUP)) ?? undefined);
  const [now] = await client.time();
  t.ok(Math.abs(Number(now) - Number(seen)) < 60);
  const ttl = await client.ttl(aliveKey(GROUP));
  t.ok(ttl > 0 && ttl <= 30, `${ttl} s`);
});

t.test("after a reconnection it says so again", async (t) => {
  const { client, own, key } = await openGateway(t);
  t.teardown(() => key.leave(LAYOUT));
  await until("the sign of life", () => client.exists(aliveKey(GROUP)).then((count) => count === 1));
  await client.flushall();
  own.disconnect(true);
  await until("another", () => client.exists(aliveKey(GROUP)).then((count) => count === 1), 8_000);
  t.pass("said");
});

t.test("a gateway that leaves takes its groups and every trace of it along, and nothing of others", async (t) => {
  const { client, key } = await openGateway(t);
  await until("the sign of life", async () => (await client.zscore(SEEN_KEY, GROUP)) ?? undefined);
  const [used, shared, unused] = KEYS;
  for (const stream of KEYS) await client.xgroup("CREATE", stream, GROUP, "$", "MKSTREAM");
  await client.xadd(used!, "*", "event_type", "order_created");
  await client.xgroup("CREATE", shared!, "billing", "$");
  await key.leave(LAYOUT);
  t.strictSame((await client.keys("*")).sort(), [shared!, used!].toSorted(), "streams that never held anything go too");
  t.strictSame(await client.xinfo("GROUPS", used!), []);
  t.equal(((await client.xinfo("GROUPS", shared!)) as unknown[]).length, 1);
  t.notOk(await client.exists(unused!));
});

t.test("without Redis it leaves all the same", async (t) => {
  const { own, key } = await openGateway(t);
  own.disconnect();
  await key.leave(LAYOUT);
  t.pass("left");
});
