import type { StreamProgress } from "../../protocol/control.js";
import { compareEntryIds, type EntryId, entryTime } from "../../protocol/entry-id.js";
import type { RedisClient } from "../../redis/connect.js";
import { readRange, type StreamState, streamState } from "../../redis/streams.js";

/** The end of a stream, in XRANGE. */
const LAST = "+";
/** Most entries that are counted one by one. */
const COUNT_UP_TO = 1_000;

/** What a stream held when it was last seen with nothing left to deliver, or was counted. */
interface Mark {
  /** Entries ever added up to the position. */
  readonly added: number;
  /** Entries delivered since. */
  delivered: number;
}

/**
 * How far delivery is behind, from ids and entries. Redis' own figure for a group is wrong as soon as entries it has not
 * read were trimmed (https://redis.io/docs/latest/commands/xinfo-groups/).
 */
export class Lag {
  readonly #client: RedisClient;
  /** Unix time in milliseconds. */
  readonly #now: () => number;
  readonly #marks = new Map<string, Mark>();

  constructor(client: RedisClient, now: () => number) {
    this.#client = client;
    this.#now = now;
  }

  /** So many more entries of the stream were delivered. */
  delivered(key: string, entries: number): void {
    const mark = this.#marks.get(key);
    if (mark !== undefined) mark.delivered += entries;
  }

  /** The streams are read by another worker from now on. */
  forget(keys: Iterable<string>): void {
    for (const key of keys) this.#marks.delete(key);
  }

  /**
   * @param position up to where everything of the stream has been delivered.
   * @throws Error when Redis does not answer.
   */
  async of(key: string, position: EntryId): Promise<StreamProgress> {
    const mark = this.#marks.get(key);
    const deliveredBefore = mark?.delivered;
    const state = await streamState(this.#client, key);
    if (state === null || compareEntryIds(position, state.lastId) >= 0) {
      const added = state === null ? null : addedTo(state);
      if (added !== null) this.#marks.set(key, { added, delivered: 0 });
      return { key, position, lag: 0, lagSeconds: 0 };
    }
    const [earliest] = await readRange(this.#client, key, position, LAST, 1);
    if (earliest === undefined) return { key, position, lag: 0, lagSeconds: 0 };
    const lagSeconds = Math.max(0, this.#now() - entryTime(earliest.id)) / 1000;
    const added = addedTo(state);
    if (mark !== undefined && added !== null) {
      const lag = added - mark.added - deliveredBefore!;
      return { key, position, lag: Math.min(Math.max(lag, 1), state.length), lagSeconds };
    }
    return { key, position, lag: await this.#count(key, position, state), lagSeconds };
  }

  /** Beyond what is counted one by one, the share of the stream's time span tells. */
  async #count(key: string, position: EntryId, { firstId, lastId, length }: StreamState): Promise<number> {
    if (firstId === null || compareEntryIds(position, firstId) < 0) return length;
    const counted = (await readRange(this.#client, key, position, LAST, COUNT_UP_TO)).length;
    if (counted < COUNT_UP_TO) return counted;
    const [from, at, to] = [firstId, position, lastId].map(entryTime) as [number, number, number];
    return Math.max(counted, Math.round((length * (to - at)) / Math.max(1, to - from)));
  }
}

/** Entries ever added. null: Redis before 7.0 does not count them. */
function addedTo({ length, removed }: StreamState): number | null {
  return removed === null ? null : length + removed;
}
