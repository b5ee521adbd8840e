import t, { type Test } from "tap";
import { openLog } from "../../src/observe/log.ts";
import { VanishedGroups } from "../../src/primary/vanished-groups.ts";
import { allUnits, unitStreams } from "../../src/protocol/stream.ts";
import type { RedisClient } from "../../src/redis/connect.ts";
import { signOfLife } from "../../src/redis/gateways.ts";
import { aliveKey, groupName, SEEN_KEY } from "../../src/redis/keys.ts";
import { openRedis } from "../worker/redis-fixture.ts";

const LAYOUT = { prefix: "s:", topics: ["orders", "system"], partitions: 2 };
const KEYS = allUnits(LAYOUT).flatMap((unit) => unitStreams(LAYOUT, unit).map(({ key }) => key));
const OWN = groupName("here", "1");
const OTHER = groupName("there", "1");

interface Neighbourhood {
  readonly client: RedisClient;
  readonly groups: VanishedGroups;
  /** A gateway that reads these streams, and was heard of last so many seconds ago, or never. */
  add(group: string, heardSecondsAgo: number | null, keys?: readonly string[]): Promise<void>;
  now(): Promise<number>;
}

async function openNeighbourhood(t: Test): Promise<Neighbourhood> {
  const { client } = await openRedis(t);
  const groups = new VanishedGroups({ client, layout: LAYOUT, group: OWN, log: openLog("silent", {}) });
  t.teardown(() => groups.stop());
  const now = async () => Number((await client.time())[0]);
  const add: Neighbourhood["add"] = async (group, heardSecondsAgo, keys = KEYS) => {
    for (const key of keys) {
      await client.xadd(key, "*", "event_type", "order_created");
      await client.xgroup("CREATE", key, group, "$");
    }
    if (heardSecondsAgo !== null) await client.zadd(SEEN_KEY, (await now()) - heardSecondsAgo, group);
  };
  return { client, groups, add, now };
}

t.test(
  "a group is removed from every stream an hour after the last sign of life, and its gateway forgotten",
  async (t) => {
    const { client, groups, add } = await openNeighbourhood(t);
    await add(OTHER, 3_601);
    await groups.remove();
    for (const key of KEYS) t.strictSame(await groupsOf(client, key), [], key);
    t.equal(await client.zscore(SEEN_KEY, OTHER), null);
    for (const key of KEYS) t.equal(await client.xlen(key), 1, "the events stay");
  },
);

t.test("a group is kept before the hour is over", async (t) => {
  const { client, groups, add } = await openNeighbourhood(t);
  await add(OTHER, 3_500);
  await groups.remove();
  for (const key of KEYS) t.strictSame(await groupsOf(client, key), [OTHER], key);
  t.ok(await client.zscore(SEEN_KEY, OTHER));
});

t.test("a gateway whose key says that it is alive keeps its group, whenever it was heard of", async (t) => {
  const { client, groups, add } = await openNeighbourhood(t);
  await add(OTHER, 7_200);
  await client.set(aliveKey(OTHER), "1", "EX", 30);
  await groups.remove();
  t.strictSame(await groupsOf(client, KEYS[0]!), [OTHER]);
  await client.del(aliveKey(OTHER));
  await groups.remove();
  t.strictSame(await groupsOf(client, KEYS[0]!), []);
});

t.test("a sign of life begins the hour anew", async (t) => {
  const { client, groups, add } = await openNeighbourhood(t);
  await add(OTHER, 7_200);
  await signOfLife(client, OTHER);
  t.ok((await client.ttl(aliveKey(OTHER))) > 0, "the key goes by itself");
  await client.del(aliveKey(OTHER));
  await groups.remove();
  t.strictSame(await groupsOf(client, KEYS[0]!), [OTHER]);
});

t.test("the hour of a gateway never heard of begins when its group is first seen", async (t) => {
  const { client, groups, add, now } = await openNeighbourhood(t);
  await add(OTHER, null, KEYS.slice(1, 2));
  const before = await now();
  await groups.remove();
  const noted = Number(await client.zscore(SEEN_KEY, OTHER));
  t.ok(noted >= before && noted <= (await now()));
  t.strictSame(await groupsOf(client, KEYS[1]!), [OTHER]);
  await client.zadd(SEEN_KEY, noted - 100, OTHER);
  await groups.remove();
  t.equal(Number(await client.zscore(SEEN_KEY, OTHER)), noted - 100, "and only then");
  await client.zadd(SEEN_KEY, noted - 3_601, OTHER);
  await groups.remove();
  t.strictSame(await groupsOf(client, KEYS[1]!), []);
});

t.test("our own group is never removed", async (t) => {
  const { client, groups, add } = await openNeighbourhood(t);
  await add(OWN, 100_000);
  await groups.remove();
  for (const key of KEYS) t.strictSame(await groupsOf(client, key), [OWN], key);
});

t.test("groups of others than gateways are left alone", async (t) => {
  const { client, groups, add } = await openNeighbourhood(t);
  const strangers = ["billing", "ragline-gateway", "my-ragline-gateway:there:1"];
  for (const stranger of strangers) await add(stranger, 100_000, [KEYS[0]!]);
  await add(OTHER, 3_601, [KEYS[0]!]);
  await groups.remove();
  t.strictSame(await groupsOf(client, KEYS[0]!), strangers.toSorted());
  t.equal(await client.exists(KEYS[1]!), 0, "no stream is made by looking");
});

t.test("a gateway of which no group is left is forgotten after a day", async (t) => {
  const { client, groups, now } = await openNeighbourhood(t);
  await client.zadd(SEEN_KEY, (await now()) - 86_500, "ragline-gateway:long:ago");
  await client.zadd(SEEN_KEY, (await now()) - 86_000, "ragline-gateway:not:so-long");
  await groups.remove();
  t.strictSame(await client.zrange(SEEN_KEY, "0", "-1"), ["ragline-gateway:not:so-long"]);
});

t.test("a gateway that was away for more than a day leaves no group behind", async (t) => {
  const { client, groups, add } = await openNeighbourhood(t);
  await add(OTHER, 100_000);
  await groups.remove();
  for (const key of KEYS) t.strictSame(await groupsOf(client, key), [], key);
});

t.test("without Redis there is nothing to be learned, and that is said", async (t) => {
  const { client, groups } = await openNeighbourhood(t);
  client.disconnect();
  await t.rejects(groups.remove());
});

/** Names, in order. */
async function groupsOf(client: RedisClient, key: string): Promise<string[]> {
  const groups = (await client.xinfo("GROUPS", key)) as unknown[][];
  return groups.map((fields) => String(fields[1])).sort();
}
