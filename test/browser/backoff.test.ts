import fc from "fast-check";
import t from "tap";
import { backoffMs } from "../../src/browser/backoff.ts";

const limits = { baseMs: 1_000, maxMs: 30_000 };
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

t.test("the upper bound doubles with every attempt until it is the longest wait", async (t) => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 5_000].map((attempt) => backoffMs(attempt, 0, limits, () => 1));
  t.same(longest, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

t.test("a wait is random over the whole range from zero to its bound", async (t) => {
  t.equal(
    backoffMs(3, 0, limits, () => 0),
    0,
  );
  t.equal(
    backoffMs(3, 0, limits, () => 0.5),
    4_000,
  );
});

t.test("every wait is at least what the server asked for, and over it by at most the bound", async (t) => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(3_600_000), fraction, (attempt, floorMs, random) => {
      const ms = backoffMs(attempt, floorMs, limits, () => random);
      return Number.isInteger(ms) && ms >= floorMs && ms <= floorMs + limits.maxMs;
    }),
  );
  t.pass("for every wait tried");
});

t.test("a wait is never longer than a timer can hold", async (t) => {
  t.equal(
    backoffMs(0, 1e15, limits, () => 0),
    2 ** 31 - 1,
  );
});

t.test("without a source of its own it uses Math.random", async (t) => {
  const ms = backoffMs(0, 100, limits);
  t.ok(ms >= 100 && ms < 1_100);
});
