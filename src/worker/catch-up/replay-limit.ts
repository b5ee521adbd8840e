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

/** Events by which a worker is hardly ever behind Redis. */
const MOST_UNDELIVERED = 1_000;
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
    if (!(await this.#mayBeMoreThan(limit))) return;
    await this.#reachEnd();
    if (this.#mostOwed() > limit) await this.#skipToNewest(limit);
  }

  /** What Redis holds and this worker has yet to deliver is missed as well, but for most it is not worth to ask. */
  async #mayBeMoreThan(limit: number): Promise<boolean> {
    const surelyFew = limit - MOST_UNDELIVERED;
    if (surelyFew < 0) return true;
    return this.#mostOwed() > surelyFew && (await this.#beforeNewest(surelyFew)).some(({ to }) => to !== null);
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
    const wanted = this.#wantedIds(events, next, end).length;
    const { stream, to } = this.#backlog.range(index);
    if (compareEntryIds(upTo, to) >= 0) return wanted;
    const log = this.#options.history.log(this.#backlog.asker.tenant, stream.key);
    const isRestInMemory = log !== undefined && compareEntryIds(log.floor(false), upTo) <= 0;
    if (isRestInMemory) return wanted + log.length - indexAfter(log, upTo);
    return (chunk.state?.length ?? 0) + (log?.length ?? 0);
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
