import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { assignUnits } from "../../src/primary/assign.ts";
import type { UnitId } from "../../src/protocol/stream.ts";

interface Before {
  readonly owned: ReadonlyMap<number, readonly UnitId[]>;
  readonly free: readonly UnitId[];
}

/** Any distribution of up to 60 units, some of them free, over up to 12 workers. */
const anyBefore: fc.Arbitrary<Before> = fc
  .record({
    workers: fc.uniqueArray(fc.nat(1_000), { minLength: 1, maxLength: 12 }),
    places: fc.array(fc.nat(1_000), { maxLength: 60 }),
    freeUnits: fc.nat(30),
  })
  .map(({ workers, places, freeUnits }) => {
    const owned = new Map(workers.map((worker): [number, UnitId[]] => [worker, []]));
    for (const [p, place] of places.entries()) owned.get(workers[place % workers.length]!)!.push(`partition:${p}`);
    return { owned, free: Array.from({ length: freeUnits }, (_, i): UnitId => `shared:${i}`) };
  });

function loadsOf(assigned: ReadonlyMap<number, readonly UnitId[]>): number[] {
  return [...assigned.values()].map(({ length }) => length);
}

function movedBetween({ owned }: Before, assigned: ReadonlyMap<number, readonly UnitId[]>): number {
  const moved = [...owned].flatMap(([worker, units]) => units.filter((unit) => !assigned.get(worker)!.includes(unit)));
  return moved.length;
}

/** Tries every way to say who gets one unit more than the others. */
function fewestMoves({ owned, free }: Before): number {
  const loads = loadsOf(owned);
  const total = free.length + loads.reduce((sum, load) => sum + load, 0);
  const share = Math.floor(total / loads.length);
  let fewest = Number.POSITIVE_INFINITY;
  for (let larger = 0; larger < 2 ** loads.length; larger++) {
    const shares = loads.map((_, i) => share + ((larger >> i) & 1));
    if (shares.reduce((sum, each) => sum + each, 0) !== total) continue;
    fewest = Math.min(
      fewest,
      loads.reduce((moves, load, i) => moves + Math.max(0, load - shares[i]!), 0),
    );
  }
  return fewest;
}

t.test("every unit has exactly one owner, and no worker more than one unit more than another", async () => {
  const property = fc.property(anyBefore, (before) => {
    const assigned = assignUnits(before.owned, before.free);
    assert.deepEqual([...assigned.keys()], [...before.owned.keys()]);
    const units = [...before.owned.values()].flat();
    assert.deepEqual([...assigned.values()].flat().sort(), [...units, ...before.free].sort());
    const loads = loadsOf(assigned);
    assert.ok(Math.max(...loads) - Math.min(...loads) <= 1);
  });
  fc.assert(property, { numRuns: 500 });
});

t.test("as few units change hands as possible", async () => {
  const property = fc.property(anyBefore, (before) => {
    assert.equal(movedBetween(before, assignUnits(before.owned, before.free)), fewestMoves(before));
  });
  fc.assert(property);
});

t.test("the same question has the same answer, and the question is left as it was", async () => {
  const property = fc.property(anyBefore, (before) => {
    const asked = structuredClone(before);
    const first = assignUnits(before.owned, before.free);
    assert.deepEqual([...assignUnits(before.owned, before.free)], [...first]);
    assert.deepEqual([...before.owned], [...asked.owned]);
    assert.deepEqual(before.free, asked.free);
    assert.deepEqual([...assignUnits(first, [])], [...first], "what is shared out well stays as it is");
  });
  fc.assert(property);
});

t.test("a worker that comes is given units of those that have most", async (t) => {
  const before: [string, UnitId[]][] = [
    ["a", ["partition:0", "partition:1"]],
    ["b", ["partition:2", "partition:3", "partition:4", "partition:5"]],
    ["new", []],
  ];
  t.strictSame(
    [...assignUnits(new Map(before), [])],
    [
      ["a", ["partition:0", "partition:1"]],
      ["b", ["partition:2", "partition:3"]],
      ["new", ["partition:4", "partition:5"]],
    ],
  );
});

t.test("a worker too many owns nothing", async (t) => {
  const before: [number, UnitId[]][] = [
    [1, []],
    [2, []],
  ];
  t.strictSame(
    [...assignUnits(new Map(before), ["shared:orders"])],
    [
      [1, ["shared:orders"]],
      [2, []],
    ],
  );
});

t.test("without a worker nothing is assigned", async (t) => {
  t.equal(assignUnits(new Map(), ["shared:orders"]).size, 0);
});
