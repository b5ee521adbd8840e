import { compareEntryIds, type EntryId, ZERO_ID } from "../../protocol/entry-id.js";
import { beforeNewest, type Stretch } from "../resume/newest.js";
import type { StreamRange } from "../resume/range-reader.js";
import { type Events, indexAfter } from "../resume/stream-log.js";
import type { Turns } from "../resume/turns.js";
import type { Backlog, BacklogOptions } from "./backlog.js";
import { startTimeout } from "./timeout.js";

export interface ReplayLimitOptions extends BacklogOptions {
  readonly turns: Turns;
}

/** Milliseconds to wait for this worker to have delivered what Redis holds. */
const REACH_END_WITHIN_MS = 3_000;
/** Events looked at in one turn. */
const MOST_SCANNED = 1_000;

/** Where a backlog holds too many events, leaves all but the newest out, and says so. */
export class ReplayLimit {
  readonly #backlog: Backlog;
  readonly #options: ReplayLimitOptions;

  constructor(backlog: Backlog, options: ReplayLimitOptions) {
    this.#backlog = backlog;
    this.#options = options;
  }

  async apply(limit: number): Promise<void> {
    const backlog = this.#backlog;
    backlog.noticeResets();
    const unread = backlog.behind().filter((index) => backlog.sourceOf(index) === null);
    await Promise.all(unread.map((index) => backlog.read(index)));
    if (this.#mostOwed() <= limit || !(await this.#hasMoreThan(limit))) return;
    // What Redis holds beyond is missed as well.
    await this.#reachEnd();
    await this.#skipToNewest(limit);
  }

  /** At most so many events are still to be sent; infinite, where that is not known. */
  #mostOwed(): number {
    return this.#backlog.behind().reduce((sum, index) => sum + this.#mostOwedOf(index), 0);
  }

  #mostOwedOf(index: number): number {
    const source = this.#backlog.sourceOf(index);
    if (source === null) return Number.POSITIVE_INFINITY;
    const { events, next, end, upTo, chunk } = source;
    if (chunk === undefined) return end - next;
    const { stream, to } = this.#backlog.range(index);
    if (compareEntryIds(upTo, to) >= 0) return this.#wantedIds(events, next, end).length;
    const inMemory = this.#options.history.log(this.#backlog.asker.tenant, stream.key)?.length ?? 0;
    return (chunk.state?.length ?? 0) + inMemory;
  }

  async #hasMoreThan(limit: number): Promise<boolean> {
    return (await this.#beforeNewest(limit)).some(({ to }) => to !== null);
  }

  async #skipToNewest(limit: number): Promise<void> {
    const { standing, gaps, streams } = this.#backlog;
    for (const { index, to, epoch } of await this.#beforeNewest(limit)) {
      const { id, epoch: now } = standing.get(index);
      if (to === null || epoch !== now) continue;
      gaps.push({ stream: streams[index]!.topic, reason: "limit", from: id, to });
      standing.set(index, { id: to, epoch });
    }
  }

  /** For each stream that is behind, the newest event of those that are too many; null where none is. */
  async #beforeNewest(limit: number): Promise<{ index: number; to: EntryId | null; epoch: number }[]> {
    const backlog = this.#backlog;
    backlog.noticeResets();
    const behind = backlog.behind().map((index) => ({ index, epoch: backlog.standing.get(index).epoch }));
    const ranges = behind.map(({ index }) => backlog.range(index));
    const leftOut = await beforeNewest(limit, ranges, (range) => this.#readEnd(range));
    backlog.noticeResets();
    return behind.map((stream, i) => ({ ...stream, to: leftOut[i]! }));
  }

  async #readEnd(range: StreamRange): Promise<Stretch> {
    const { history, ranges, turns } = this.#options;
    const { asker } = this.#backlog;
    const inMemory = await turns.run(asker.tenant, () => {
      const log = history.log(asker.tenant, range.stream.key);
      if (log === undefined || compareEntryIds(log.floor(false), range.to) >= 0) return null;
      const end = indexAfter(log, range.to);
      const start = Math.max(indexAfter(log, range.after), end - MOST_SCANNED);
      return { ids: this.#wantedIds(log, start, end), after: start > 0 ? log.at(start - 1).id : log.floor(false) };
    });
    if (inMemory !== null) return inMemory;
    const { records, after } = await ranges.readEnd(asker, range);
    return { ids: this.#wantedIds(records, indexAfter(records, range.after), indexAfter(records, range.to)), after };
  }

  #wantedIds(events: Events, start: number, end: number): EntryId[] {
    const ids: EntryId[] = [];
    for (let at = start; at < end; at++) {
      const event = events.at(at)!;
      if (this.#backlog.wants(event)) ids.push(event.id);
    }
    return ids;
  }

  /** Resolves once this worker has delivered what the streams held at the time of the call. */
  async #reachEnd(): Promise<void> {
    const { ranges, positions } = this.#options;
    const { streams } = this.#backlog;
    const states = await Promise.all(streams.map((stream) => ranges.stateOf(stream)));
    const isThere = () =>
      streams.every(({ key }, i) => compareEntryIds(positions.get(key)!.id, states[i]?.lastId ?? ZERO_ID) >= 0);
    const deadline = startTimeout(REACH_END_WITHIN_MS);
    const moved = () => positions.changed().then(() => true);
    while (!isThere() && (await Promise.race([moved(), deadline.passed])));
    deadline.clear();
  }
}
