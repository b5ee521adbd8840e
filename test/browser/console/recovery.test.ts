import t from "tap";
import { Recovery } from "../../../src/browser/console/recovery.ts";

t.test("events from before the reopening are recovered ones, those after it are not", async (t) => {
  const recovery = new Recovery();
  recovery.start(1_000);
  t.equal(recovery.takeEvent(700, 1_001), true);
  t.equal(recovery.takeEvent(1_000, 1_900), true);
  t.equal(recovery.takeEvent(1_002, 1_003), false);
  t.same(recovery.finish(), { events: 2, gaps: [] });
});

t.test("events whose time is not known are recovered ones as long as the burst goes on", async (t) => {
  const recovery = new Recovery();
  recovery.start(1_000);
  t.equal(recovery.takeEvent(undefined, 1_100), true);
  t.equal(recovery.takeEvent(undefined, 1_200), true);
  t.equal(recovery.takeEvent(undefined, 1_500), false);
  t.equal(recovery.takeEvent(undefined, 1_501), false);
  t.same(recovery.finish(), { events: 2, gaps: [] });
});

t.test("gaps are told, and the next time starts afresh", async (t) => {
  const recovery = new Recovery();
  recovery.start(1_000);
  recovery.takeGap("trimmed");
  t.same(recovery.finish(), { events: 0, gaps: ["trimmed"] });
  recovery.start(2_000);
  t.same(recovery.finish(), { events: 0, gaps: [] });
});

t.test("outside a recovery nothing is counted", async (t) => {
  const recovery = new Recovery();
  t.equal(recovery.takeEvent(0, 1_000), false);
  recovery.takeGap("trimmed");
  t.same(recovery.finish(), { events: 0, gaps: [] });
});
