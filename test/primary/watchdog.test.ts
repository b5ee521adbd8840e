import t, { type Test } from "tap";
import { Watchdog } from "../../src/primary/watchdog.ts";
import { until } from "../support/until.ts";

class Watch {
  readonly watchdog: Watchdog;
  readonly silent: number[] = [];
  /** How often it asked for the time. */
  asked = 0;
  #now = 5_000;

  constructor(t: Test) {
    this.watchdog = new Watchdog(
      (incarnation) => this.silent.push(incarnation),
      () => {
        this.asked++;
        return this.#now;
      },
    );
    t.teardown(() => this.watchdog.stop());
  }

  /** Time goes by, with a check every second as it should be. */
  pass(seconds: number): void {
    for (let i = 0; i < seconds; i++) this.stall(1_000);
  }

  /** Time goes by without a check before its end. */
  stall(milliseconds: number): void {
    this.#now += milliseconds;
    this.watchdog.check();
  }
}

t.test("a worker is silent when nothing was heard of it for more than 15 seconds, and that is said once", async (t) => {
  const watch = new Watch(t);
  watch.watchdog.heard(1);
  watch.pass(15);
  t.strictSame(watch.silent, []);
  watch.pass(1);
  t.strictSame(watch.silent, [1]);
  watch.pass(60);
  t.strictSame(watch.silent, [1]);
});

t.test("each sign of life counts anew, for the worker that gave it alone", async (t) => {
  const watch = new Watch(t);
  watch.watchdog.heard(1);
  watch.watchdog.heard(2);
  watch.pass(10);
  watch.watchdog.heard(1);
  watch.pass(10);
  t.strictSame(watch.silent, [2]);
  watch.watchdog.heard(1);
  watch.pass(15);
  t.strictSame(watch.silent, [2]);
  watch.pass(1);
  t.strictSame(watch.silent, [2, 1]);
});

t.test("nobody waits for a worker that has ended", async (t) => {
  const watch = new Watch(t);
  watch.watchdog.heard(1);
  watch.pass(10);
  watch.watchdog.forget(1);
  watch.pass(60);
  t.strictSame(watch.silent, []);
});

t.test("where the whole machine stood still, all are given their time anew", async (t) => {
  const watch = new Watch(t);
  for (const incarnation of [1, 2]) watch.watchdog.heard(incarnation);
  watch.pass(14);
  watch.stall(3_600_000);
  t.strictSame(watch.silent, []);
  watch.pass(10);
  watch.watchdog.heard(2);
  watch.pass(5);
  t.strictSame(watch.silent, []);
  watch.pass(1);
  t.strictSame(watch.silent, [1]);
});

t.test("a check that comes a little late is no reason to wait longer", async (t) => {
  const watch = new Watch(t);
  watch.watchdog.heard(1);
  for (let i = 0; i < 8; i++) watch.stall(2_000);
  t.strictSame(watch.silent, [1]);
});

t.test("it looks by itself", async (t) => {
  const watch = new Watch(t);
  const before = watch.asked;
  await until("a check", () => watch.asked > before);
  t.pass("checked");
});
