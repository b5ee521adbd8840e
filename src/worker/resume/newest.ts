import { compareEntryIds, type EntryId } from "../../protocol/entry-id.js";
import type { StreamRange } from "./range-reader.js";

/** The last stretch of a range: ids of the wanted events after `after`, in order. */
export interface Stretch {
  readonly ids: readonly EntryId[];
  readonly after: EntryId;
}

interface Tail {
  readonly range: StreamRange;
  /** What of the range was not looked at yet ends here. */
  to: EntryId;
  ids: EntryId[];
}

/**
 * Where the newest `limit` wanted events of several ranges begin. Looked for from the end, so that what is left out is
 * not read.
 *
 * @param readEnd the last stretch of a range, of any length above zero.
 * @returns for each range, the newest event left out, after which reading has to start; null where none is.
 */
export async function beforeNewest(
  limit: number,
  ranges: readonly StreamRange[],
  readEnd: (range: StreamRange) => Promise<Stretch>,
): Promise<(EntryId | null)[]> {
  const tails = ranges.map((range): Tail => ({ range, to: range.to, ids: [] }));
  for (let taken = 0; ; taken++) {
    for (const tail of tails) {
      while (tail.ids.length === 0 && compareEntryIds(tail.range.after, tail.to) < 0) {
        const { ids, after } = await readEnd({ ...tail.range, to: tail.to });
        tail.ids = [...ids];
        tail.to = after;
      }
    }
    const newest = newestOf(tails);
    if (newest === undefined) return ranges.map(() => null);
    if (taken === limit) return tails.map(({ ids }) => ids.at(-1) ?? null);
    newest.ids.pop();
  }
}

function newestOf(tails: readonly Tail[]): Tail | undefined {
  let newest: Tail | undefined;
  for (const tail of tails) {
    const id = tail.ids.at(-1);
    if (id !== undefined && (newest === undefined || compareEntryIds(id, newest.ids.at(-1)!) > 0)) newest = tail;
  }
  return newest;
}
