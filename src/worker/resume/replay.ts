import type { BatchRecord, BatchSection } from "../../protocol/batch.js";
import { compareEntryIds, type EntryId } from "../../protocol/entry-id.js";
import type { RawSection } from "../../protocol/event.js";
import type { StreamRef } from "../../protocol/stream.js";
import type { RedisClient } from "../../redis/connect.js";
import { readRange, type StreamState, streamState } from "../../redis/streams.js";

/** What of one stream is to be read again: after `after`, up to and including `to`. */
export interface StreamRange {
  readonly stream: StreamRef;
  readonly after: EntryId;
  readonly to: EntryId;
}

export interface ReplayOptions {
  readonly commands: RedisClient;
  readonly encode: (raw: readonly RawSection[]) => Promise<readonly BatchSection[]>;
}

export interface ReplayedEvents {
  readonly stream: StreamRef;
  readonly records: readonly BatchRecord[];
  /** Everything of the stream up to here has been read. */
  readonly upTo: EntryId;
}

/** Entries of one read. */
const COUNT = 250;

/** Older events, read from Redis. */
export class Replay {
  readonly #options: ReplayOptions;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  stateOf({ key }: StreamRef): Promise<StreamState | null> {
    return streamState(this.#options.commands, key);
  }

  /** Entries of a range in order, a read at a time. */
  async *read({ stream, after, to }: StreamRange): AsyncGenerator<ReplayedEvents> {
    for (let from = after; compareEntryIds(from, to) < 0; ) {
      const entries = await readRange(this.#options.commands, stream.key, from, to, COUNT);
      const last = entries.at(-1)?.id;
      const sections = await this.#options.encode([{ key: stream.key, topic: stream.topic, entries }]);
      const records = sections.flatMap((section) => section.records);
      const done = entries.length < COUNT || last === undefined;
      from = done ? to : last;
      yield { stream, records, upTo: from };
    }
  }

  /**
   * Where ranges, and what their streams hold beyond them by now, together hold more than `limit` wanted events, only the
   * newest are given.
   * @returns for each range, the last event left out, after which reading has to start; null where none is.
   */
  async leftOut(
    ranges: readonly StreamRange[],
    limit: number,
    wanted: (record: BatchRecord) => boolean,
  ): Promise<(EntryId | null)[]> {
    const states = await Promise.all(ranges.map(({ stream }) => this.stateOf(stream)));
    const lengths = states.map((state) => state?.length ?? 0);
    const last: (EntryId | null)[] = ranges.map(() => null);
    if (lengths.reduce((sum, length) => sum + length, 0) <= limit) return last;
    const toEnd = ranges.map((range, i) => ({ ...range, to: later(range.to, states[i]?.lastId ?? range.to) }));
    const newest = await Promise.all(toEnd.map((range) => this.#newestIds(range, limit + 1, wanted)));
    const all = newest.flatMap((ids, range) => ids.map((id) => ({ range, id })));
    all.sort((a, b) => compareEntryIds(a.id, b.id));
    for (const { range, id } of all.slice(0, Math.max(0, all.length - limit))) last[range] = id;
    return last;
  }

  async #newestIds(range: StreamRange, count: number, wanted: (record: BatchRecord) => boolean): Promise<EntryId[]> {
    const ids: EntryId[] = [];
    for await (const { records } of this.read(range)) {
      for (const record of records) if (wanted(record)) ids.push(record.id);
      ids.splice(0, Math.max(0, ids.length - count));
    }
    return ids;
  }
}

function later(a: EntryId, b: EntryId): EntryId {
  return compareEntryIds(a, b) >= 0 ? a : b;
}
