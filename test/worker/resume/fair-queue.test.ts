import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { FairQueue } from "../../../src/worker/resume/fair-queue.ts";

function takeAll<T>(queue: FairQueue<T>): T[] {
  const taken: T[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) taken.push(item);
  return taken;
}

t.test("tenants take turns, however many items one of them has", async (t) => {
  const queue = new FairQueue<string>();
  for (let i = 1; i <= 1000; i++) queue.add("large", `large ${i}`);
  queue.add("small", "small 1");
  queue.add("other", "other 1");
  queue.add("small", "small 2");
  const taken = takeAll(queue);
  t.strictSame(taken.slice(0, 6), ["large 1", "small 1", "other 1", "large 2", "small 2", "large 3"]);
  t.equal(taken.length, 1003);
  t.equal(queue.take(), undefined);
});

t.test("who may not have an item now keeps its place in the line", async (t) => {
  const queue = new FairQueue<string>();
  for (const item of ["a1", "b1", "a2"]) queue.add(item[0]!, item);
  t.equal(
    queue.take((tenant) => tenant !== "a"),
    "b1",
  );
  t.equal(
    queue.take(() => false),
    undefined,
  );
  t.strictSame(takeAll(queue), ["a1", "a2"]);
});

t.test("nothing is lost, each tenant's order is kept, and none waits longer than one turn of all others", async () => {
  const anyStep = fc.oneof(fc.record({ add: fc.constantFrom("a", "b", "c") }), fc.constant("take" as const));
  const run = fc.property(fc.array(anyStep, { maxLength: 400 }), (steps) => {
    const queue = new FairQueue<{ tenant: string; n: number }>();
    const waiting = new Map<string, number[]>();
    const passedOver = new Map<string, number>();
    let n = 0;
    const take = () => {
      const item = queue.take();
      if (item === undefined) {
        assert.equal([...waiting.values()].flat().length, 0);
        return;
      }
      assert.equal(waiting.get(item.tenant)!.shift(), item.n);
      for (const [tenant, line] of waiting) {
        const times = tenant === item.tenant || line.length === 0 ? 0 : (passedOver.get(tenant) ?? 0) + 1;
        assert.ok(times <= 2, `${tenant} was passed over ${times} times by 2 others`);
        passedOver.set(tenant, times);
      }
    };
    for (const step of steps) {
      if (step === "take") take();
      else {
        queue.add(step.add, { tenant: step.add, n });
        waiting.set(step.add, [...(waiting.get(step.add) ?? []), n++]);
      }
    }
    while ([...waiting.values()].some((line) => line.length > 0)) take();
  });
  fc.assert(run);
});
