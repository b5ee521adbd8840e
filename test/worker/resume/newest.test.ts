import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { compareEntryIds } from "../../../src/protocol/entry-id.ts";
import { sharedStream } from "../../../src/protocol/stream.ts";
import { beforeNewest } from "../../../src/worker/resume/newest.ts";
import type { StreamRange } from "../../../src/worker/resume/range-reader.ts";
import { LAYOUT } from "../fanout/listener.ts";

const STREAMS = LAYOUT.topics.map((topic) => sharedStream(LAYOUT, topic));

/** Streams with wanted events at these numbers, looked through in stretches of so many numbers. */
function openStreams(wanted: readonly (readonly number[])[], total: number, stretch = 3) {
  const ranges = wanted.map((_, i): StreamRange => ({ stream: STREAMS[i]!, after: "0-0", to: `${total}-0` }));
  let looks = 0;
  const readEnd = async ({ stream, after, to }: StreamRange) => {
    looks++;
    const numbers = wanted[STREAMS.indexOf(stream)]!;
    const [end, limit] = [Number(to.slice(0, -2)), Number(after.slice(0, -2))];
    const start = Math.max(limit, end - stretch);
    return { ids: numbers.filter((n) => n > start && n <= end).map((n) => `${n}-0`), after: `${start}-0` };
  };
  return { before: (limit: number) => beforeNewest(limit, ranges, readEnd), looks: () => looks };
}

t.test("the newest stay, whichever streams they stand in", async (t) => {
  // In the order of their time: first stream 1, 2, second 3, first 4, second 5, first 6.
  const { before } = openStreams([[1, 2, 4, 6], [3, 5], []], 6);
  t.strictSame(await before(6), [null, null, null]);
  t.strictSame(await before(5), ["1-0", null, null]);
  t.strictSame(await before(3), ["2-0", "3-0", null]);
  t.strictSame(await before(1), ["4-0", "5-0", null]);
  t.strictSame(await before(0), ["6-0", "5-0", null]);
  t.strictSame(await beforeNewest(0, [], () => Promise.reject(new Error("nothing to read"))), []);
});

t.test("what is left out is not looked through", async (t) => {
  const numbers = Array.from({ length: 3_000 }, (_, i) => i + 1);
  const { before, looks } = openStreams([numbers], 3_000);
  t.strictSame(await before(10), ["2990-0"]);
  t.ok(looks() <= 4, `looked ${looks()} times`);
});

t.test("with any limit exactly the newest are left", async () => {
  const anyHome = fc.array(fc.nat(3), { maxLength: 60 });
  const run = fc.asyncProperty(anyHome, fc.nat(70), fc.integer({ min: 1, max: 9 }), async (homes, limit, stretch) => {
    // The fourth stream stands for events that are not wanted.
    const wanted = STREAMS.map((_, stream) => homes.flatMap((home, i) => (home === stream ? [i + 1] : [])));
    const all = wanted.flat().sort((a, b) => a - b);
    const leftOut = await openStreams(wanted, homes.length, stretch).before(limit);
    const given = wanted.flatMap((numbers, i) =>
      numbers.filter((n) => compareEntryIds(`${n}-0`, leftOut[i] ?? "0-0") > 0),
    );
    assert.deepEqual(
      given.sort((a, b) => a - b),
      limit === 0 ? [] : all.slice(-limit),
    );
  });
  await fc.assert(run);
});
