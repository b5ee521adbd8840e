import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { assignUnits } from "../../src/primary/assign.ts";
import { allUnits } from "../../src/protocol/stream.ts";

t.test("every unit has exactly one owner, and no worker more than one unit more than another", async () => {
  const layouts = fc.record({
    prefix: fc.constant("s:"),
    topics: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 8 }),
    partitions: fc.integer({ min: 1, max: 64 }),
  });
  const workerIds = fc.uniqueArray(fc.nat(1_000), { minLength: 1, maxLength: 40 });
  const run = fc.property(layouts, workerIds, (layout, workers) => {
    const units = allUnits(layout);
    const assigned = assignUnits(units, workers);
    assert.deepEqual([...assigned.keys()], workers);
    assert.deepEqual([...assigned.values()].flat().sort(), [...units].sort());
    const loads = [...assigned.values()].map(({ length }) => length);
    assert.ok(Math.max(...loads) - Math.min(...loads) <= 1);
  });
  fc.assert(run);
});

t.test("a worker that is replaced has the same units as the one before", async (t) => {
  const units = allUnits({ prefix: "s:", topics: ["orders", "system"], partitions: 5 });
  t.strictSame(assignUnits(units, [1, 2, 3]), assignUnits(units, [1, 2, 3]));
});

t.test("a worker too many owns nothing", async (t) => {
  t.strictSame(
    [...assignUnits(["shared:orders"], [1, 2])],
    [
      [1, ["shared:orders"]],
      [2, []],
    ],
  );
});
