import fc from "fast-check";
import t from "tap";
import { keySlot, partitionOf } from "../../src/protocol/partition.ts";
import {
  allUnits,
  partitionStream,
  type StreamLayout,
  sharedStream,
  tenantStreams,
  unitStreams,
} from "../../src/protocol/stream.ts";

const layout: StreamLayout = { prefix: "ragline:stream:", topics: ["orders", "system"], partitions: 3 };
const anyLayout = fc.record({
  prefix: fc.constantFrom("ragline:stream:", "x", "a:b:"),
  topics: fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/), { minLength: 1, maxLength: 8 }),
  partitions: fc.integer({ min: 1, max: 1024 }),
});

t.test("keys are as producers and other gateways write them", async (t) => {
  t.strictSame(sharedStream(layout, "orders"), { key: "ragline:stream:orders", topic: "orders", partition: null });
  t.strictSame(partitionStream(layout, "orders", 2), {
    key: "ragline:stream:orders:{2}",
    topic: "orders",
    partition: 2,
  });
});

t.test("a gateway owns its partitions and the shared stream of each topic", async (t) => {
  t.strictSame(allUnits(layout), ["partition:0", "partition:1", "partition:2", "shared:orders", "shared:system"]);
});

t.test("a partition is a stream of every topic, a shared unit one stream", async (t) => {
  t.strictSame(
    unitStreams(layout, "partition:1").map(({ key }) => key),
    ["ragline:stream:orders:{1}", "ragline:stream:system:{1}"],
  );
  t.strictSame(unitStreams(layout, "shared:orders"), [sharedStream(layout, "orders")]);
});

t.test("the units together read every stream once", async (t) => {
  fc.assert(
    fc.property(anyLayout, (layout) => {
      const keys = allUnits(layout).flatMap((unit) => unitStreams(layout, unit).map(({ key }) => key));
      return new Set(keys).size === keys.length && keys.length === layout.topics.length * (layout.partitions + 1);
    }),
  );
  t.pass("for everything tried");
});

t.test("the streams of one partition share a hash slot, so that one command can read them", async (t) => {
  fc.assert(
    fc.property(anyLayout, fc.nat(), (layout, some) => {
      const streams = unitStreams(layout, `partition:${some % layout.partitions}`);
      return new Set(streams.map(({ key }) => keySlot(key))).size === 1;
    }),
  );
  t.pass("for everything tried");
});

t.test("a tenant's events stand in two streams of each topic, which some units own", async (t) => {
  const p = partitionOf("acme", layout.partitions);
  t.strictSame(
    tenantStreams(layout, ["system"], "acme").map(({ key }) => key),
    ["ragline:stream:system", `ragline:stream:system:{${p}}`],
  );
  fc.assert(
    fc.property(anyLayout, fc.string({ unit: "binary", minLength: 1 }), (layout, tenant) => {
      const owned = new Set(allUnits(layout).flatMap((unit) => unitStreams(layout, unit).map(({ key }) => key)));
      const streams = tenantStreams(layout, layout.topics, tenant);
      return streams.length === 2 * layout.topics.length && streams.every(({ key }) => owned.has(key));
    }),
  );
});
