import t from "tap";
import { LatencyMeter, RateMeter } from "../../../src/browser/console/measures.ts";

t.test("the rate is that of the last five seconds", async (t) => {
  const rate = new RateMeter();
  for (let ms = 0; ms < 10_000; ms += 100) rate.add(ms);
  t.equal(rate.perSecond(9_999), 10);
  t.equal(rate.perSecond(12_499), 5);
});

t.test("events that are five seconds old count no more, however long nobody asked", async (t) => {
  const rate = new RateMeter();
  rate.add(1_000);
  t.equal(rate.perSecond(1_000), 0.2);
  t.equal(rate.perSecond(6_000), 0);
  rate.add(1_000_000);
  t.equal(rate.perSecond(1_000_000), 0.2);
});

t.test("there is no latency before the first event", async (t) => {
  t.equal(new LatencyMeter().summary(), undefined);
});

t.test("median and maximum are those of the last hundred", async (t) => {
  const latency = new LatencyMeter();
  latency.add(9_000);
  for (let ms = 1; ms <= 100; ms++) latency.add(ms);
  t.same(latency.summary(), { median: 50.5, max: 100 });
  latency.add(500);
  t.same(latency.summary(), { median: 51.5, max: 500 });
});

t.test("clocks that differ give no negative latency", async (t) => {
  const latency = new LatencyMeter();
  latency.add(-20);
  t.same(latency.summary(), { median: 0, max: 0 });
});
