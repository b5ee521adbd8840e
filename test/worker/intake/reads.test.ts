import t from "tap";
import { keySlot } from "../../../src/protocol/partition.ts";
import { allUnits, unitStreams } from "../../../src/protocol/stream.ts";
import { readsOf } from "../../../src/worker/intake/reads.ts";
import { LAYOUT } from "../fanout/listener.ts";

const STREAMS = allUnits(LAYOUT).flatMap((unit) => unitStreams(LAYOUT, unit));

t.test("one server is asked for all streams at once", async (t) => {
  for (const mode of ["standalone", "sentinel"] as const) t.strictSame(readsOf(STREAMS, mode), [STREAMS]);
});

t.test("a cluster is asked once per hash slot, so that all topics of a partition are one read", async (t) => {
  const reads = readsOf(STREAMS, "cluster");
  t.strictSame(
    reads
      .flat()
      .map(({ key }) => key)
      .sort(),
    STREAMS.map(({ key }) => key).sort(),
  );
  for (const read of reads) t.equal(new Set(read.map(({ key }) => keySlot(key))).size, 1);
  t.equal(new Set(reads.map(([first]) => keySlot(first!.key))).size, reads.length);
  t.strictSame(
    reads.find(([first]) => first!.partition === 2)!.map(({ key }) => key),
    ["s:orders:{2}", "s:notifications:{2}", "s:system:{2}"],
  );
});

t.test("a worker without streams reads nothing", async (t) => {
  t.strictSame(readsOf([], "standalone"), []);
  t.strictSame(readsOf([], "cluster"), []);
});
