import fc from "fast-check";
import t from "tap";
import { keySlot } from "../../src/protocol/partition.ts";
import { partitionStream } from "../../src/protocol/stream.ts";
import { aliveKey, deadLetterKey, dedupeKey, GROUP_PREFIX, groupName } from "../../src/redis/keys.ts";

t.test("every gateway has a group of its own, and a key that says it is alive", async (t) => {
  const group = groupName("host-1", "abc");
  t.equal(group, "ragline-gateway:host-1:abc");
  t.ok(group.startsWith(GROUP_PREFIX));
  t.equal(aliveKey(group), "ragline-gateway:host-1:abc:alive");
});

t.test("dead letters are kept by topic", async (t) => {
  t.equal(deadLetterKey("orders"), "ragline:dlq:orders");
});

t.test("an event id is remembered beside the streams of its partition, so that one script can use both", async (t) => {
  const layout = { prefix: "ragline:stream:", topics: ["orders"], partitions: 16 };
  fc.assert(
    fc.property(fc.nat(15), fc.string(), fc.string(), (partition, tenant, eventId) => {
      const stream = partitionStream(layout, "orders", partition).key;
      return keySlot(dedupeKey(layout.prefix, partition, tenant, eventId)) === keySlot(stream);
    }),
  );
  t.pass("for everything tried");
});

t.test("no two event ids share a key, whatever stands in the names of deployment, tenant and event", async (t) => {
  const part = fc.string({ unit: fc.constantFrom("a", ":", "1", "{", "}"), minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.tuple(part, part, part), fc.tuple(part, part, part), (one, other) => {
      const [a, b] = [one, other].map(([prefix, tenant, id]) => dedupeKey(prefix, 1, tenant, id));
      return (a === b) === one.every((name, i) => name === other[i]);
    }),
    { numRuns: 1_000 },
  );
  t.pass("for everything tried");
});
