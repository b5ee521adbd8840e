import fc from "fast-check";
import t from "tap";
import { mergePercentiles, Samples } from "../../../bench/support/samples.ts";

t.test("percentiles are those of all values together, however they are spread over processes", async (t) => {
  const parts = fc.array(fc.array(fc.nat(10_000_000), { maxLength: 200 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(parts, (values) => {
      const merged = mergePercentiles(values.map((part) => Uint32Array.from(part)));
      t.strictSame(merged, mergePercentiles([Uint32Array.from(values.flat().reverse())]));
      if (values.flat().length > 0) t.equal(merged.max, Math.max(...values.flat()) / 1e3);
    }),
  );
});

t.test("a percentile is the least value that so many do not exceed", async (t) => {
  const thousand = Uint32Array.from({ length: 1_000 }, (_, i) => (1_000 - i) * 1_000);
  t.strictSame(mergePercentiles([thousand]), { p50: 500, p99: 990, p999: 999, max: 1_000 });
  t.strictSame(mergePercentiles([Uint32Array.of(7_000)]), { p50: 7, p99: 7, p999: 7, max: 7 });
});

t.test("an average of percentiles would hide the slow process, the merged one does not", async (t) => {
  const quick = new Uint32Array(90).fill(1_000);
  const slow = new Uint32Array(10).fill(100_000);
  t.equal(mergePercentiles([quick, slow]).p99, 100);
});

t.test("without values there are no percentiles", async (t) => {
  t.strictSame(mergePercentiles([]), { p50: Number.NaN, p99: Number.NaN, p999: Number.NaN, max: Number.NaN });
});

t.test("of many values every stride-th is kept, from the start again after each restart", async (t) => {
  const samples = new Samples();
  const gather = (count: number) => {
    for (let i = 1; i <= count; i++) if (samples.wants()) samples.add(i);
  };
  samples.restart(3);
  gather(10);
  t.strictSame([...samples.taken()], [3, 6, 9]);
  samples.restart(1);
  gather(10_000);
  t.equal(samples.taken().length, 10_000);
  samples.restart(1);
  samples.add(-5);
  t.strictSame([...samples.taken()], [0], "clocks may differ by a little");
});
