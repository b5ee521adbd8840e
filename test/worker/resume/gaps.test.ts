import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { compareEntryIds } from "../../../src/protocol/entry-id.ts";
import { type StreamState, streamState } from "../../../src/redis/streams.ts";
import { continuityOf } from "../../../src/worker/resume/gaps.ts";
import { openRedis } from "../redis-fixture.ts";

/** A stream that holds entries from `first` to `last`; with `lost`, after that many others. */
function stream(first: string | null, last: string, { length = 10, lost = 0, deleted = "0-0" } = {}): StreamState {
  return { firstId: first, lastId: last, length, removed: lost, maxDeletedId: deleted };
}

function empty(last: string, lost: number): StreamState {
  return stream(null, last, { length: 0, lost });
}

/** The same, as Redis before 7.0 tells it. */
function old(state: StreamState): StreamState {
  return { ...state, removed: null, maxDeletedId: null };
}

interface Case {
  readonly name: string;
  readonly at: string;
  readonly now: StreamState | null;
  /** Absent: nothing is missing. */
  readonly gap?: { readonly reason: "trimmed" | "reset"; readonly to?: string };
  /** Where reading goes on; absent: at the position. */
  readonly from?: string;
}

const CASES: readonly Case[] = [
  { name: "between the first entry and the last", at: "5-0", now: stream("1-0", "9-0") },
  { name: "at the last entry", at: "9-0", now: stream("1-0", "9-0") },
  { name: "at the first entry, others before it trimmed", at: "5-0", now: stream("5-0", "9-0", { lost: 4 }) },
  { name: "at the last entry, all of them trimmed", at: "9-0", now: empty("9-0", 9) },
  { name: "right before the first entry of a whole stream", at: "5-6", now: stream("5-7", "9-0") },
  { name: "right before the first entry left", at: "5-6", now: stream("5-7", "9-0", { lost: 4 }) },
  { name: "right before the first entry of its millisecond", at: "4-18446744073709551615", now: stream("5-0", "9-0") },
  { name: "at the start of a stream that is not there", at: "0-0", now: null },
  { name: "at the start of a stream that never held an entry", at: "0-0", now: empty("0-0", 0) },
  { name: "at the start of a whole stream", at: "0-0", now: stream("1-0", "9-0") },
  {
    name: "at an entry that was deleted, others are left before",
    at: "5-0",
    now: stream("1-0", "9-0", { lost: 1, deleted: "5-0" }),
  },
  { name: "behind all that was deleted", at: "7-0", now: stream("1-0", "9-0", { lost: 3, deleted: "5-0" }) },
  {
    name: "at the one entry ever removed, which was the first",
    at: "1-0",
    now: stream("3-0", "9-0", { lost: 1, deleted: "1-0" }),
  },
  { name: "at the last entry, deleted", at: "9-0", now: stream("1-0", "9-0", { lost: 1, deleted: "9-0" }) },
  { name: "behind the first entry, where Redis does not count", at: "5-0", now: old(stream("1-0", "9-0")) },
  {
    name: "at the start of a stream without entries, where Redis does not count",
    at: "0-0",
    now: old(empty("0-0", 0)),
  },
  {
    name: "before a deleted entry",
    at: "4-0",
    now: stream("1-0", "9-0", { lost: 1, deleted: "5-0" }),
    gap: { reason: "trimmed", to: "5-0" },
  },
  {
    name: "before what is left of a trimmed stream, and before a deleted entry",
    at: "2-0",
    now: stream("4-0", "9-0", { lost: 4, deleted: "7-0" }),
    gap: { reason: "trimmed", to: "7-0" },
  },
  {
    name: "at a deleted entry before what is left, others were removed too",
    at: "3-0",
    now: stream("5-0", "9-0", { lost: 4, deleted: "3-0" }),
    gap: { reason: "trimmed", to: "5-0" },
  },
  {
    name: "at the start, where Redis does not count",
    at: "0-0",
    now: old(stream("5-0", "9-0")),
    gap: { reason: "trimmed", to: "5-0" },
  },
  {
    name: "before the first entry, where Redis does not count",
    at: "3-0",
    now: old(stream("5-0", "9-0")),
    gap: { reason: "trimmed", to: "5-0" },
  },
  {
    name: "at the start of a trimmed stream",
    at: "0-0",
    now: stream("5-0", "9-0", { lost: 4 }),
    gap: { reason: "trimmed", to: "5-0" },
  },
  { name: "at the start of an emptied stream", at: "0-0", now: empty("9-0", 9), gap: { reason: "trimmed" } },
  {
    name: "before what is left of a trimmed stream",
    at: "3-0",
    now: stream("5-0", "9-0", { lost: 4 }),
    gap: { reason: "trimmed", to: "5-0" },
  },
  { name: "before all that was trimmed", at: "3-0", now: empty("9-0", 9), gap: { reason: "trimmed" } },
  { name: "in a stream that is not there any more", at: "3-0", now: null, gap: { reason: "reset" }, from: "0-0" },
  {
    name: "behind the last entry, as after a failover",
    at: "9-1",
    now: stream("1-0", "9-0"),
    gap: { reason: "reset", to: "1-0" },
    from: "0-0",
  },
  { name: "in a stream made anew and empty", at: "9-0", now: empty("0-0", 0), gap: { reason: "reset" }, from: "0-0" },
  {
    name: "before a stream that never lost an entry",
    at: "3-0",
    now: stream("5-0", "9-0"),
    gap: { reason: "reset", to: "5-0" },
    from: "0-0",
  },
  {
    name: "behind the last entry, where text would put it before",
    at: "10-0",
    now: stream("1-0", "9-0"),
    gap: { reason: "reset", to: "1-0" },
    from: "0-0",
  },
];

for (const { name, at, now, gap, from = at } of CASES) {
  t.test(`${gap?.reason ?? "nothing is missing"}: a position ${name}`, async (t) => {
    const expected = gap === undefined ? null : { stream: "orders", from: at, ...gap };
    t.strictSame(continuityOf("orders", { id: at, epoch: 0 }, now), { from, gap: expected });
  });
}

t.test("what was gone when a gap was announced is not announced again, what went since is", async (t) => {
  const at = { id: "3-0", epoch: 0 };
  const then = stream("5-0", "9-0", { lost: 4, deleted: "8-0" });
  t.equal(continuityOf("orders", at, then, then).gap, null);
  t.equal(continuityOf("orders", { id: "6-0", epoch: 0 }, { ...then, lastId: "20-0" }, then).gap, null);
  const before = stream("4-0", "9-0", { lost: 3 });
  t.equal(continuityOf("orders", at, before, then).gap, null, "a piece read before");
  const later = stream("7-0", "9-0", { lost: 6, deleted: "8-0" });
  t.match(continuityOf("orders", at, later, then).gap, { reason: "trimmed", to: "8-0" });
  t.match(continuityOf("orders", at, old(later), old(then)).gap, { reason: "trimmed", to: "7-0" });
  t.equal(continuityOf("orders", at, old(then), old(then)).gap, null);
  t.match(continuityOf("orders", at, null, then).gap, { reason: "reset" }, "a reset always is");
});

const anyStep = fc.oneof(
  { weight: 4, arbitrary: fc.constant("add" as const) },
  { weight: 2, arbitrary: fc.record({ xdel: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ maxLength: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ minimum: fc.nat(30) }) },
);

t.test("whatever is trimmed and deleted in Redis, nothing is ever missing without a gap", async () => {
  const { client } = await openRedis(t);
  let streams = 0;
  let gaps = 0;
  let intact = 0;
  const run = fc.asyncProperty(fc.array(anyStep, { maxLength: 20 }), async (steps) => {
    const key = `s${streams++}`;
    await client.xgroup("CREATE", key, "group", "0-0", "MKSTREAM");
    let added = 0;
    for (const step of steps) {
      if (step === "add") await client.xadd(key, `${++added}-0`, "n", "1");
      else if ("xdel" in step) await client.xdel(key, `${step.xdel}-0`);
      else if ("maxLength" in step) await client.xtrim(key, "MAXLEN", step.maxLength);
      else await client.xtrim(key, "MINID", `${step.minimum}-0`);
    }
    const left = new Set((await client.xrange(key, "-", "+")).map(([id]) => id));
    const state = await streamState(client, key);
    for (let at = 0; at <= added; at++) {
      const { gap, from } = continuityOf("orders", { id: `${at}-0`, epoch: 0 }, state);
      const after = Array.from({ length: added - at }, (_, i) => `${at + 1 + i}-0`);
      const isMissing = after.some((id) => !left.has(id));
      assert.ok(gap !== null || !isMissing, `nothing said at ${at} of ${JSON.stringify(state)}`);
      assert.ok(compareEntryIds(from, `${at}-0`) <= 0);
      if (gap === null) intact++;
      else if (isMissing) gaps++;
      // A gap too many is said only where the entry at the position is gone, and not known to be all that is.
      else assert.ok(!left.has(`${at}-0`) && (state!.removed! > 1 || state!.maxDeletedId !== `${at}-0`), `at ${at}`);
    }
  });
  await fc.assert(run, { numRuns: 150 });
  assert.ok(gaps > 100 && intact > 100, `${gaps} gaps, ${intact} positions without`);
});
