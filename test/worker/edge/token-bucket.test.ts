import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { TokenBucket } from "../../../src/worker/edge/token-bucket.ts";

function taken(bucket: TokenBucket, now: number, attempts: number): number {
  return Array.from({ length: attempts }, () => bucket.take(now)).filter(Boolean).length;
}

t.test("as many as the rate pass at once, then none until time passes", async (t) => {
  const bucket = new TokenBucket(50, 1_000);
  t.equal(taken(bucket, 1_000, 80), 50);
  t.notOk(bucket.take(1_019));
  t.ok(bucket.take(1_020));
  t.notOk(bucket.take(1_020));
  t.equal(taken(bucket, 1_520, 80), 25);
});

t.test("a long silence saves up no more than one second's worth", async (t) => {
  const bucket = new TokenBucket(10, 0);
  t.equal(taken(bucket, 3_600_000, 80), 10);
});

t.test("steps that are too short for a whole one add up", async (t) => {
  const bucket = new TokenBucket(1, 0);
  t.ok(bucket.take(0));
  for (let now = 100; now < 1_000; now += 100) t.notOk(bucket.take(now), `${now} ms`);
  t.ok(bucket.take(1_001));
});

t.test("in no stretch of time do more pass than its length allows, and one more burst", async () => {
  const steps = fc.array(fc.record({ wait: fc.nat(500), attempts: fc.nat(30) }), { maxLength: 40 });
  const run = fc.property(fc.integer({ min: 1, max: 100 }), steps, (rate, attempts) => {
    const bucket = new TokenBucket(rate, 0);
    let now = 0;
    let passed = 0;
    for (const step of attempts) {
      now += step.wait;
      passed += taken(bucket, now, step.attempts);
      assert.ok(passed <= rate + (rate * now) / 1_000 + 1e-6);
    }
  });
  fc.assert(run, { numRuns: 300 });
});
