import t from "tap";
import { Restarts } from "../../src/primary/restarts.ts";

/** Restarts by a clock of the test's own. */
function openRestarts() {
  const clock = { now: 1_000_000 };
  return { clock, restarts: new Restarts(() => clock.now) };
}

t.test("each death waits twice as long as the one before, up to five seconds", async (t) => {
  const { restarts } = openRestarts();
  const delays = Array.from({ length: 9 }, () => restarts.died(1, true));
  t.strictSame(delays, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
  for (let i = 0; i < 2_000; i++) restarts.died(1, true);
  t.equal(restarts.died(1, true), 5_000, "however often");
});

t.test("after a minute of life, earlier deaths are forgotten", async (t) => {
  const { clock, restarts } = openRestarts();
  for (let i = 0; i < 3; i++) restarts.died(1, true);
  clock.now += 60_000;
  t.equal(restarts.died(1, true), 800);
  clock.now += 60_001;
  t.equal(restarts.died(1, true), 100);
  t.equal(restarts.died(1, true), 200);
});

t.test("every worker has a history of its own", async (t) => {
  const { restarts } = openRestarts();
  for (let i = 0; i < 4; i++) restarts.died(1, false);
  t.equal(restarts.died(2, false), 100);
  t.equal(restarts.died(1, false), null);
  t.equal(restarts.died(2, false), 200);
});

t.test("five deaths at the start within a minute are a crash loop, and so is every one after them", async (t) => {
  const { clock, restarts } = openRestarts();
  const deaths = Array.from({ length: 6 }, () => {
    clock.now += 14_000;
    return restarts.died(1, false);
  });
  t.strictSame(deaths, [100, 200, 400, 800, null, null]);
});

t.test("deaths at the start that are a minute apart do not add up", async (t) => {
  const { clock, restarts } = openRestarts();
  for (let i = 0; i < 30; i++) {
    clock.now += 15_000;
    t.type(restarts.died(1, false), "number");
  }
  clock.now += 14_999;
  t.equal(restarts.died(1, false), null, "and those that are closer do");
});

t.test("only deaths at the start, and only since the worker last joined, make a crash loop", async (t) => {
  const { restarts } = openRestarts();
  for (let i = 0; i < 20; i++) t.type(restarts.died(1, true), "number");
  for (let i = 0; i < 4; i++) t.type(restarts.died(1, false), "number");
  restarts.joined(1);
  for (let i = 0; i < 4; i++) t.type(restarts.died(1, false), "number");
  t.type(restarts.died(1, true), "number", "one that had joined does not count");
  t.equal(restarts.died(1, false), null);
  restarts.joined(2);
  t.equal(restarts.died(2, false), 100);
});
