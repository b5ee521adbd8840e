import fc from "fast-check";
import { Redis } from "ioredis";
import t from "tap";
import { keySlot, partitionOf } from "../../src/protocol/partition.ts";
import { partitionStream } from "../../src/protocol/stream.ts";
import { dedupeKey } from "../../src/redis/keys.ts";
import { startTestRedis } from "../support/redis.ts";

t.test("a key's slot is the one Redis gives it, hash tags and all", async (t) => {
  const { port } = await startTestRedis(t, { args: ["--cluster-enabled", "yes"] });
  const redis = new Redis({ port, host: "127.0.0.1" });
  t.teardown(() => redis.disconnect());
  const slotOf = (key: string) => redis.call("CLUSTER", "KEYSLOT", key) as Promise<number>;

  const pieces = fc.array(fc.constantFrom("{", "}", "a", "ü", "🚀", ""), { maxLength: 12 });
  const braces = pieces.map((parts) => parts.join(""));
  const key = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), braces);
  const sameSlot = fc.asyncProperty(key, async (text) => keySlot(text) === (await slotOf(text)));
  await fc.assert(sameSlot, { numRuns: 2000 });
  for (const text of ["", "123456789", "foo{}{bar}", "foo{{bar}}zap", "foo{bar}{zap}", "{user1000}.following"]) {
    t.equal(keySlot(text), await slotOf(text), text);
  }
});

t.test("all streams of a partition, and what is remembered of its events, share a slot", async () => {
  const layout = { prefix: "ragline:stream:", topics: ["orders", "system"], partitions: 1024 };
  const name = fc.string({ unit: "grapheme", minLength: 1 });
  const oneSlot = fc.property(name, name, (tenant, eventId) => {
    const partition = partitionOf(tenant, layout.partitions);
    const streamKeys = layout.topics.map((topic) => partitionStream(layout, topic, partition).key);
    return new Set([...streamKeys, dedupeKey(layout.prefix, partition, tenant, eventId)].map(keySlot)).size === 1;
  });
  fc.assert(oneSlot);
});

t.test("a tenant's partition is one of those there are", async () => {
  const isOne = fc.property(
    fc.string({ unit: "grapheme" }),
    fc.integer({ min: 1, max: 1024 }),
    (tenant, partitions) => {
      const partition = partitionOf(tenant, partitions);
      return Number.isInteger(partition) && partition >= 0 && partition < partitions;
    },
  );
  fc.assert(isOne);
});
