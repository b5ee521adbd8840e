import type { BatchRecord } from "../../protocol/batch.js";
import { channelTopics } from "../../protocol/channel.js";
import { type Cursor, type Position, START, topicTag } from "../../protocol/cursor.js";
import { compareEntryIds, type EntryId, ZERO_ID } from "../../protocol/entry-id.js";
import { matches } from "../../protocol/filter.js";
import { partitionOf } from "../../protocol/partition.js";
import { type StreamLayout, type StreamRef, tenantStreams } from "../../protocol/stream.js";
import type { Gap } from "../../protocol/websocket.js";
import type { StreamState } from "../../redis/streams.js";
import type { Positions } from "../fanout/positions.js";
import type { Subscriber } from "../fanout/subscriber.js";
import { type Chunk, reachesOnFrom } from "../resume/chunk.js";
import { continuityOf } from "../resume/gaps.js";
import type { History } from "../resume/history.js";
import type { Asker, RangeReader, StreamRange } from "../resume/range-reader.js";
import { type Events, indexAfter } from "../resume/stream-log.js";
import { Standing } from "./standing.js";

export interface BacklogOptions {
  readonly layout: StreamLayout;
  /** Where this worker stands. */
  readonly positions: Positions;
  readonly history: History;
  readonly ranges: RangeReader;
}

/** Events a connection has yet to get, and where they are to be found. */
export interface Source {
  readonly events: Events;
  readonly next: number;
  readonly end: number;
  /** After the last event, everything up to here is accounted for. */
  readonly upTo: EntryId;
  /** What was read from Redis; absent in memory. */
  readonly chunk?: Chunk;
}

/**
 * What one connection is owed between where it stands and where this worker does: from memory where that reaches back far
 * enough, else from Redis. Streams are called by their index.
 */
export class Backlog {
  readonly streams: readonly StreamRef[];
  readonly standing: Standing;
  readonly asker: Asker;
  /** To be said before anything more is sent. */
  readonly gaps: Gap[] = [];
  readonly #subscriber: Subscriber;
  readonly #options: BacklogOptions;
  /** How a stream was when its last gap was announced. */
  readonly #announced = new Map<number, StreamState | null>();
  /** Streams of which a gap was announced before it was known what they miss. */
  readonly #excused = new Set<number>();
  /** What was read from Redis and not sent yet. */
  readonly #chunks = new Map<number, Chunk>();
  #lastServed = -1;

  /** @param cursor null: not one of ours. */
  constructor(subscriber: Subscriber, cursor: Cursor | null, options: BacklogOptions) {
    const { layout, positions } = options;
    const { tenant, channel, format } = subscriber;
    const topics = channelTopics(channel, layout.topics);
    const partition = partitionOf(tenant, layout.partitions);
    this.#subscriber = subscriber;
    this.#options = options;
    this.asker = { tenant, msgpack: format === "msgpack" };
    this.streams = tenantStreams(layout, topics, tenant);
    const named = cursor === null ? null : positionsOf(cursor, this.streams, partition);
    this.standing = new Standing(partition, this.streams, ({ key }) => {
      const { id, epoch } = positions.get(key) ?? START;
      return named === null ? { id: ZERO_ID, epoch } : (named.get(key) ?? { id, epoch });
    });
    if (named !== null) return;
    for (const topic of topics) this.gaps.push({ stream: topic, reason: "invalid" });
    for (const index of this.streams.keys()) this.#excused.add(index);
  }

  behind(): number[] {
    return [...this.streams.keys()].filter((index) => this.#lag(index) < 0);
  }

  /** Streams of which the connection has seen more than has come to this worker. */
  ahead(): number[] {
    return [...this.streams.keys()].filter((index) => this.#lag(index) > 0);
  }

  /** Streams in turn, so that a busy one does not keep the others waiting. */
  nextBehind(): number | undefined {
    const count = this.streams.length;
    for (let step = 1; step <= count; step++) {
      const index = (this.#lastServed + step) % count;
      if (this.#lag(index) >= 0) continue;
      this.#lastServed = index;
      return index;
    }
    return undefined;
  }

  /** From where the connection stands to where this worker does. */
  range(index: number): StreamRange {
    const stream = this.streams[index]!;
    return { stream, after: this.standing.get(index).id, to: this.#options.positions.get(stream.key)!.id };
  }

  /** null: Redis has to be asked. */
  sourceOf(index: number): Source | null {
    const { history } = this.#options;
    const { stream, after, to } = this.range(index);
    const log = history.log(this.asker.tenant, stream.key);
    if (log !== undefined && compareEntryIds(log.floor(this.asker.msgpack), after) <= 0) {
      return { events: log, next: indexAfter(log, after), end: log.length, upTo: to };
    }
    const chunk = this.#chunks.get(index);
    if (chunk === undefined || !reachesOnFrom(chunk, after)) {
      this.#chunks.delete(index);
      return null;
    }
    const { records, upTo } = chunk;
    return { events: records, next: indexAfter(records, after), end: records.length, upTo, chunk };
  }

  /** Reads on from Redis where the connection stands, and finds out what is missing there. */
  async read(index: number): Promise<void> {
    const { ranges, history, positions } = this.#options;
    const range = this.range(index);
    const { key } = range.stream;
    const { id, epoch } = this.standing.get(index);
    const inMemory = history.log(this.asker.tenant, key)?.floor(this.asker.msgpack);
    const chunk = await ranges.readStart(this.asker, { ...range, to: inMemory ?? range.to });
    if (positions.get(key)!.epoch !== epoch) return;
    this.findGap(index, chunk.state);
    if (this.standing.get(index).id === id) this.#chunks.set(index, chunk);
  }

  /** Forgets what was read from Redis: nothing is kept for a client that does not take it. */
  letGo(): void {
    this.#chunks.clear();
  }

  /** @param state of the stream after what follows in it was read. */
  findGap(index: number, state: StreamState | null): void {
    const { topic } = this.streams[index]!;
    const standing = this.standing.get(index);
    const { from, gap } = continuityOf(topic, standing, state, this.#announced.get(index) ?? null);
    const isExcused = this.#excused.delete(index);
    if (gap === null && !isExcused) return;
    this.#announced.set(index, state);
    if (gap !== null && !isExcused) this.gaps.push(gap);
    this.standing.set(index, { id: from, epoch: standing.epoch });
  }

  /** A stream that started anew since the position was given out is read from its start. */
  noticeResets(): void {
    for (const [index, { key, topic }] of this.streams.entries()) {
      const { id, epoch } = this.standing.get(index);
      const now = this.#options.positions.get(key)!.epoch;
      if (now === epoch) continue;
      this.gaps.push({ stream: topic, reason: "reset", from: id });
      this.standing.set(index, { id: ZERO_ID, epoch: now });
      this.#excused.add(index);
      this.#announced.delete(index);
      this.#chunks.delete(index);
    }
  }

  wants({ tenant, type, target }: BatchRecord): boolean {
    const subscriber = this.#subscriber;
    return (
      tenant === subscriber.tenant &&
      (target === "" || target === subscriber.user) &&
      subscriber.channel.admits(type) &&
      matches(subscriber.filter, type)
    );
  }

  /** Negative, zero or positive as the connection stands behind this worker, where it does, or further on. */
  #lag(index: number): number {
    const { after, to } = this.range(index);
    return compareEntryIds(after, to);
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
