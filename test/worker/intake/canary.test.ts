import t, { type Test } from "tap";
import { Canary } from "../../../src/worker/intake/canary.ts";

const OVERDUE_MS = 10_001;

/** A canary by a clock of the test's own. */
function openCanary(t: Test) {
  let now = 1_000_000;
  const canary = new Canary({ send: async () => {}, now: () => now });
  t.teardown(() => canary.stop());
  return {
    canary,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

t.test("delivery counts as proven at first, and for a while after each canary", async (t) => {
  const { canary, pass } = openCanary(t);
  t.equal(canary.problem, null);
  pass(OVERDUE_MS - 1);
  t.equal(canary.problem, null);
  canary.arrived();
  t.equal(canary.age, 0);
  pass(OVERDUE_MS - 1);
  t.equal(canary.problem, null);
});

t.test("a canary that Redis took and that does not come is lost", async (t) => {
  const { canary, pass } = openCanary(t);
  pass(OVERDUE_MS);
  t.ok(canary.isLost);
  t.match(canary.problem, /^delivery is not proven for 10 s$/);
  canary.arrived();
  t.notOk(canary.isLost);
  t.equal(canary.problem, null);
});

t.test("one that Redis does not take says why, and is not lost", async (t) => {
  let refuse = () => {};
  const refused = new Promise<void>((resolve) => {
    refuse = resolve;
  });
  let now = 0;
  const canary = new Canary({
    send: async () => {
      refuse();
      throw new Error("OOM command not allowed when used memory > 'maxmemory'.");
    },
    now: () => now,
  });
  t.teardown(() => canary.stop());
  await refused;
  now += OVERDUE_MS;
  t.notOk(canary.isLost);
  t.match(canary.problem, /not proven for 10 s: OOM/);
});
