import type { BatchRecord } from "../protocol/batch.js";
import { channelTopics } from "../protocol/channel.js";
import { type Cursor, type Position, START, topicTag } from "../protocol/cursor.js";
import { compareEntryIds, type EntryId, ZERO_ID } from "../protocol/entry-id.js";
import { matches } from "../protocol/filter.js";
import { partitionOf } from "../protocol/partition.js";
import { type StreamLayout, type StreamRef, tenantStreams } from "../protocol/stream.js";
import type { Gap } from "../protocol/websocket.js";
import type { StreamState } from "../redis/streams.js";
import { FrameBlock } from "./fanout/frame.js";
import type { Positions } from "./fanout/positions.js";
import type { Subscriber } from "./fanout/subscriber.js";
import { type Chunk, reachesOnFrom } from "./resume/chunk.js";
import { continuityOf } from "./resume/gaps.js";
import type { History } from "./resume/history.js";
import { beforeNewest, type Stretch } from "./resume/newest.js";
import type { Asker, RangeReader, StreamRange } from "./resume/range-reader.js";
import { type Events, indexAfter } from "./resume/stream-log.js";
import type { Turns } from "./resume/turns.js";
import type { Block, SharedBlocks } from "./shared-blocks.js";
import { Standing } from "./standing.js";
import { startTimeout } from "./timeout.js";

/** What catching up needs of a connection, beyond what the hub does. */
export interface Connection extends Subscriber {
  readonly isClosed: boolean;
  /** Bytes it can be sent at once; 0 while it has to take some first. */
  readonly room: number;
  /** Says `connected`, with the position the connection starts from. */
  greet(cursor: string): void;
  sendGap(gap: Gap): void;
  /** Sends frames that stand one behind the other, to a connection that has room. @param ends where each ends. */
  sendFrames(frames: Uint8Array, ends: readonly number[]): void;
  /** Resolves once the connection has room, or is closed. */
  writable(): Promise<void>;
  /** Ends it, because it cannot be caught up. */
  end(code: "unavailable"): void;
}

/** Where a returning connection's events come from. */
export interface ReturningOptions {
  readonly layout: StreamLayout;
  readonly positions: Positions;
  readonly history: History;
  readonly ranges: RangeReader;
  readonly turns: Turns;
  readonly blocks: SharedBlocks;
}

/** Bytes sent in one turn. */
const MOST_BYTES = 256 * 1024;
/** Events looked at for one block, most of which may be of no concern. */
const MOST_SCANNED = 1_000;
/** What a block costs besides, in bytes sent. */
const BLOCK_COST = 4 * 1024;
/** Milliseconds to wait for this worker to have delivered what Redis holds, before events are counted. */
const REACH_END_WITHIN_MS = 3_000;

/** Used by one turn at a time. */
const composed = new FrameBlock();

interface Source {
  readonly events: Events;
  readonly next: number;
  readonly end: number;
  /** After the last event, everything up to here is accounted for. */
  readonly upTo: EntryId;
}

/**
 * One connection on its way from its cursor to the present: from memory where that reaches back far enough, else from
 * Redis. It keeps nothing but where it stands, so a slow client costs no memory while it takes what it was sent.
 */
export class Returning {
  readonly #connection: Connection;
  readonly #options: ReturningOptions;
  readonly #asker: Asker;
  readonly #streams: readonly StreamRef[];
  readonly #standing: Standing;
  /** To be said before anything more is sent. */
  readonly #gaps: Gap[] = [];
  /** By stream: how it was when its last gap was announced. */
  readonly #announced = new Map<number, StreamState | null>();
  /** Streams of which a gap was announced before it was known what they miss. */
  readonly #excused = new Set<number>();
  /** Streams that Redis has confirmed to reach further than this worker has come. */
  readonly #confirmed = new Set<number>();
  /** What was read from Redis, until it was sent or there is no room for it. */
  readonly #chunks = new Map<number, Chunk>();
  #next = 0;

  /** @param cursor null: not one of ours. */
  constructor(connection: Connection, cursor: Cursor | null, options: ReturningOptions) {
    const { layout, positions } = options;
    const { tenant, channel, format } = connection;
    const topics = channelTopics(channel, layout.topics);
    const partition = partitionOf(tenant, layout.partitions);
    this.#connection = connection;
    this.#options = options;
    this.#asker = { tenant, msgpack: format === "msgpack" };
    this.#streams = tenantStreams(layout, topics, tenant);
    const named = cursor === null ? null : positionsOf(cursor, this.#streams, partition);
    this.#standing = new Standing(partition, this.#streams, ({ key }) => {
      const { id, epoch } = positions.get(key) ?? START;
      return named === null ? { id: ZERO_ID, epoch } : (named.get(key) ?? { id, epoch });
    });
    if (named !== null) return;
    for (const topic of topics) this.#gaps.push({ stream: topic, reason: "invalid" });
    for (const index of this.#streams.keys()) this.#excused.add(index);
  }

  cursor(): string {
    return this.#standing.cursor();
  }

  /** Where more than `limit` events would follow, only the newest will, after a gap. To be called before `run`. */
  async limitTo(limit: number): Promise<void> {
    this.#noticeResets();
    const unread = this.#behind().filter((index) => this.#sourceOf(index) === null);
    await Promise.all(unread.map((index) => this.#read(index)));
    if (this.#connection.isClosed || this.#mostOwed() <= limit) return;
    if (!(await this.#hasMoreThan(limit))) return;
    // What Redis holds beyond is missed as well.
    await this.#reachEnd();
    await this.#skipToNewest(limit);
  }

  /**
   * Sends everything there is after where the connection stands. Calls `join` in the very turn in which nothing is left
   * and this worker stands where the connection does, so that no event can come between; never when the connection
   * closes first.
   * @throws Error when Redis fails.
   */
  async run(join: () => void): Promise<void> {
    const { turns } = this.#options;
    while (!(await turns.run(this.#asker.tenant, () => this.#step(join))));
  }

  /** @returns whether nothing is left to do; later, where something has to happen first. */
  #step(join: () => void): boolean | Promise<boolean> {
    const connection = this.#connection;
    this.#noticeResets();
    for (let spent = 0; spent < MOST_BYTES; ) {
      if (connection.isClosed) return true;
      if (connection.room === 0) return this.#awaitRoom();
      for (const gap of this.#gaps.splice(0)) connection.sendGap(gap);
      const index = this.#nextBehind();
      if (index === undefined) {
        if (this.#ahead().length > 0) return this.#awaitWorker();
        join();
        return true;
      }
      const source = this.#sourceOf(index);
      if (source === null) return this.#read(index).then(() => false);
      spent += this.#sendFrom(index, source);
    }
    return false;
  }

  /** Sends as much as there is room for. @returns what it cost. */
  #sendFrom(index: number, source: Source): number {
    const { epoch } = this.#standing.get(index);
    const { frames, ends, upTo } = this.#blockFrom(index, source);
    this.#standing.set(index, { id: upTo, epoch });
    if (ends.length > 0) this.#connection.sendFrames(frames, ends);
    return frames.length + BLOCK_COST;
  }

  #blockFrom(index: number, source: Source): Block {
    const { blocks } = this.#options;
    const { tenant, channel, format, filter, room } = this.#connection;
    const audience = `${encodeURIComponent(tenant)}/${channel.name}/${format}/${filter.key}`;
    const key = `${audience}/${this.cursor()}/${index}/${room}`;
    const known = blocks.get(key, source.upTo);
    if (known !== undefined) return known;
    const { block, isPersonal } = this.#compose(index, source);
    if (!isPersonal) blocks.add(key, block);
    return block;
  }

  /** The block is good only until the next one is composed. */
  #compose(index: number, { events, next, end, upTo }: Source): { block: Block; isPersonal: boolean } {
    const { room, format, channel } = this.#connection;
    const cursorOf = this.#standing.eventCursors(index);
    const stop = Math.min(end, next + MOST_SCANNED);
    let isPersonal = false;
    composed.clear();
    let at = next;
    for (; at < stop && composed.length < room; at++) {
      const record = events.at(at)!;
      if (record.target !== "") isPersonal = true;
      if (this.#wants(record)) composed.add(format, channel, record, cursorOf(record.id));
    }
    const isLast = at === end;
    const { bytes: frames, ends } = composed;
    return { block: { frames, ends, upTo: isLast ? upTo : events.at(at - 1)!.id, isLast }, isPersonal };
  }

  async #hasMoreThan(limit: number): Promise<boolean> {
    const leftOut = await this.#beforeNewest(limit);
    return leftOut.some(({ to }) => to !== null);
  }

  async #skipToNewest(limit: number): Promise<void> {
    for (const { index, to, epoch } of await this.#beforeNewest(limit)) {
      const { id, epoch: now } = this.#standing.get(index);
      if (to === null || epoch !== now) continue;
      this.#gaps.push({ stream: this.#streams[index]!.topic, reason: "limit", from: id, to });
      this.#standing.set(index, { id: to, epoch });
    }
  }

  /** For each stream that has events to be sent, the newest of those that are too many; null where none is. */
  async #beforeNewest(limit: number): Promise<{ index: number; to: EntryId | null; epoch: number }[]> {
    this.#noticeResets();
    const behind = this.#behind().map((index) => ({ index, epoch: this.#standing.get(index).epoch }));
    const ranges = behind.map(({ index }) => this.#range(index));
    const leftOut = await beforeNewest(limit, ranges, (range) => this.#readEnd(range));
    this.#noticeResets();
    return behind.map((stream, i) => ({ ...stream, to: leftOut[i]! }));
  }

  /** null: Redis has to be asked. */
  #sourceOf(index: number): Source | null {
    const { history, positions } = this.#options;
    const { key } = this.#streams[index]!;
    const { id } = this.#standing.get(index);
    const log = history.log(this.#asker.tenant, key);
    if (log !== undefined && compareEntryIds(log.floor(this.#asker.msgpack), id) <= 0) {
      return { events: log, next: indexAfter(log, id), end: log.length, upTo: positions.get(key)!.id };
    }
    const chunk = this.#chunks.get(index);
    if (chunk === undefined || !reachesOnFrom(chunk, id)) {
      this.#chunks.delete(index);
      return null;
    }
    const { records, upTo } = chunk;
    return { events: records, next: indexAfter(records, id), end: records.length, upTo };
  }

  /** Reads on from Redis where the connection stands in one stream, and finds out what is missing there. */
  async #read(index: number): Promise<void> {
    const { ranges, history, positions } = this.#options;
    const range = this.#range(index);
    const { key } = range.stream;
    const { id, epoch } = this.#standing.get(index);
    const inMemory = history.log(this.#asker.tenant, key)?.floor(this.#asker.msgpack);
    const chunk = await ranges.readStart(this.#asker, { ...range, to: inMemory ?? range.to });
    if (positions.get(key)!.epoch !== epoch) return;
    this.#findGap(index, chunk.state);
    if (this.#standing.get(index).id === id) this.#chunks.set(index, chunk);
  }

  #findGap(index: number, state: StreamState | null): void {
    const { topic } = this.#streams[index]!;
    const standing = this.#standing.get(index);
    const { from, gap } = continuityOf(topic, standing, state, this.#announced.get(index) ?? null);
    const isExcused = this.#excused.delete(index);
    if (gap === null && !isExcused) return;
    this.#announced.set(index, state);
    if (gap !== null && !isExcused) this.#gaps.push(gap);
    this.#standing.set(index, { id: from, epoch: standing.epoch });
  }

  /** A stream that started anew since the position was given out is read from its start. */
  #noticeResets(): void {
    for (const [index, { key, topic }] of this.#streams.entries()) {
      const { id, epoch } = this.#standing.get(index);
      const now = this.#options.positions.get(key)!.epoch;
      if (now === epoch) continue;
      this.#gaps.push({ stream: topic, reason: "reset", from: id });
      this.#standing.set(index, { id: ZERO_ID, epoch: now });
      this.#excused.add(index);
      this.#announced.delete(index);
      this.#confirmed.delete(index);
      this.#chunks.delete(index);
    }
  }

  /** Nothing is kept for a client meanwhile. */
  #awaitRoom(): Promise<boolean> {
    this.#chunks.clear();
    return this.#connection.writable().then(() => false);
  }

  /**
   * A client that comes from a faster worker has seen events that have yet to come here; but if Redis does not know them
   * either, the stream went back in time.
   */
  async #awaitWorker(): Promise<boolean> {
    const { ranges, positions } = this.#options;
    const unconfirmed = this.#ahead().filter((index) => !this.#confirmed.has(index));
    if (unconfirmed.length === 0) {
      await positions.changed();
      return false;
    }
    const states = await Promise.all(unconfirmed.map((index) => ranges.stateOf(this.#streams[index]!)));
    this.#noticeResets();
    for (const [i, index] of unconfirmed.entries()) {
      const [state, { id }] = [states[i]!, this.#standing.get(index)];
      if (state === null || compareEntryIds(state.lastId, id) < 0) this.#findGap(index, state);
      else this.#confirmed.add(index);
    }
    return false;
  }

  /** Resolves once this worker has delivered what the streams held at the time of the call. */
  async #reachEnd(): Promise<void> {
    const { ranges, positions } = this.#options;
    const states = await Promise.all(this.#streams.map((stream) => ranges.stateOf(stream)));
    const deadline = startTimeout(REACH_END_WITHIN_MS);
    const isThere = () =>
      this.#streams.every(({ key }, i) => compareEntryIds(positions.get(key)!.id, states[i]?.lastId ?? ZERO_ID) >= 0);
    const moved = () => positions.changed().then(() => true);
    while (!this.#connection.isClosed && !isThere()) if (!(await Promise.race([moved(), deadline.passed]))) break;
    deadline.clear();
  }

  /** At most so many events are still to be sent; infinite, where that is not known. */
  #mostOwed(): number {
    return this.#behind().reduce((sum, index) => sum + this.#mostOwedOf(index), 0);
  }

  #mostOwedOf(index: number): number {
    const source = this.#sourceOf(index);
    if (source === null) return Number.POSITIVE_INFINITY;
    const chunk = this.#chunks.get(index);
    if (source.events !== chunk?.records) return source.end - source.next;
    const wanted = chunk.records.slice(source.next).filter((record) => this.#wants(record)).length;
    const { to, stream } = this.#range(index);
    if (compareEntryIds(chunk.upTo, to) >= 0) return wanted;
    const log = this.#options.history.log(this.#asker.tenant, stream.key);
    if (log === undefined || compareEntryIds(log.floor(false), chunk.upTo) > 0) return Number.POSITIVE_INFINITY;
    return wanted + log.length - indexAfter(log, chunk.upTo);
  }

  async #readEnd(range: StreamRange): Promise<Stretch> {
    const { history, ranges, turns } = this.#options;
    const { tenant } = this.#asker;
    const log = history.log(tenant, range.stream.key);
    if (log !== undefined && compareEntryIds(log.floor(false), range.to) < 0) {
      return turns.run(tenant, () => {
        const end = indexAfter(log, range.to);
        const start = Math.max(indexAfter(log, range.after), end - MOST_SCANNED);
        return { ids: this.#wantedIds(log, start, end), after: start > 0 ? log.at(start - 1).id : log.floor(false) };
      });
    }
    const { records, after } = await ranges.readEnd(this.#asker, range);
    const [start, end] = [indexAfter(records, range.after), indexAfter(records, range.to)];
    return { ids: this.#wantedIds(records, start, end), after };
  }

  #wantedIds(events: Events, start: number, end: number): EntryId[] {
    const ids: EntryId[] = [];
    for (let at = start; at < end; at++) {
      const record = events.at(at)!;
      if (this.#wants(record)) ids.push(record.id);
    }
    return ids;
  }

  /** From where the connection stands in a stream to where this worker does. */
  #range(index: number): StreamRange {
    const stream = this.#streams[index]!;
    return { stream, after: this.#standing.get(index).id, to: this.#options.positions.get(stream.key)!.id };
  }

  /** Streams in turn, so that a busy one does not keep the others waiting. */
  #nextBehind(): number | undefined {
    const count = this.#streams.length;
    for (let step = 0; step < count; step++) {
      const index = (this.#next + step) % count;
      if (this.#lag(index) >= 0) continue;
      this.#next = index + 1;
      return index;
    }
    return undefined;
  }

  #behind(): number[] {
    return [...this.#streams.keys()].filter((index) => this.#lag(index) < 0);
  }

  #ahead(): number[] {
    return [...this.#streams.keys()].filter((index) => this.#lag(index) > 0);
  }

  /** Negative, zero or positive as the connection stands behind this worker, where it does, or further on. */
  #lag(index: number): number {
    const { after, to } = this.#range(index);
    return compareEntryIds(after, to);
  }

  #wants({ tenant, type, target }: BatchRecord): boolean {
    const connection = this.#connection;
    return (
      tenant === connection.tenant &&
      (target === "" || target === connection.user) &&
      connection.channel.admits(type) &&
      matches(connection.filter, type)
    );
  }
}

/** Where the cursor stands in each stream it names. */
function positionsOf(cursor: Cursor, streams: readonly StreamRef[], ownPartition: number): Map<string, Position> {
  const named = new Map<string, Position>();
  for (const { key, topic, partition } of streams) {
    const positions = cursor.topics.get(topicTag(topic));
    if (positions === undefined) continue;
    if (partition === null) named.set(key, positions.shared);
    else if (cursor.partition === ownPartition) named.set(key, positions.partitioned);
  }
  return named;
}
