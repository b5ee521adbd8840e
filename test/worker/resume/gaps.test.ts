import t from "tap";
import type { StreamState } from "../../../src/redis/streams.ts";
import { continuityOf } from "../../../src/worker/resume/gaps.ts";

/** A stream that holds entries from `first` to `last`; with `lost`, after that many others. */
function stream(first: string | null, last: string, { length = 10, lost = 0 } = {}): StreamState {
  return { firstId: first, lastId: last, length, entriesAdded: length + lost };
}

function empty(last: string, lost: number): StreamState {
  return stream(null, last, { length: 0, lost });
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
