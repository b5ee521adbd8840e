import type { BatchRecord } from "../protocol/batch.js";
import { channelTopics } from "../protocol/channel.js";
import { type Cursor, cursorBefore, decodeCursor, type Position, START, topicTag } from "../protocol/cursor.js";
import { compareEntryIds } from "../protocol/entry-id.js";
import { RefusalError } from "../protocol/errors.js";
import { matches, type TypeFilter } from "../protocol/filter.js";
import { partitionOf } from "../protocol/partition.js";
import { type StreamLayout, type StreamRef, tenantStreams } from "../protocol/stream.js";
import type { Gap } from "../protocol/websocket.js";
import { composeFrame } from "./fanout/frame.js";
import type { Hold } from "./fanout/hold.js";
import type { Hub } from "./fanout/hub.js";
import type { Interest } from "./fanout/interest.js";
import { Positions, type WriteCursor } from "./fanout/positions.js";
import type { Subscriber } from "./fanout/subscriber.js";
import { continuityOf } from "./resume/gaps.js";
import type { Replay, StreamRange } from "./resume/replay.js";

/** What the connect path needs of a connection, beyond what the hub does. */
export interface Connection extends Subscriber {
  readonly isClosed: boolean;
  /** Can take more at once, or is closed. */
  readonly hasRoom: boolean;
  /** Says `connected`, with the position the connection starts from. */
  greet(cursor: string): void;
  sendGap(gap: Gap): void;
  /** Resolves once the connection has room for more, or is closed. */
  writable(): Promise<void>;
}

export interface ConnectPathOptions {
  readonly layout: StreamLayout;
  readonly positions: Positions;
  readonly hub: Hub;
  readonly interest: Interest;
  readonly replay: Replay;
  readonly resumeMaxEvents: number;
}

/** Milliseconds a new connection waits for the owners of its streams. */
const PREPARE_TIMEOUT_MS = 5_000;

/** From a verified token to live events: the tenant's events are routed here, older ones replayed, then the hub joined. */
export class ConnectPath {
  readonly #options: ConnectPathOptions;
  readonly #live = new Set<Connection>();

  constructor(options: ConnectPathOptions) {
    this.#options = options;
  }

  /**
   * Makes sure that every event of the tenant comes to this worker. Must be undone by `release`.
   * @throws RefusalError `unavailable` when an owner does not answer in time.
   */
  async prepare(tenant: string, msgpack: boolean): Promise<void> {
    const { interest, positions, layout } = this.#options;
    const keys = tenantStreams(layout, layout.topics, tenant).map(({ key }) => key);
    const routed = async () => {
      await interest.acquire(tenant, msgpack);
      while (!positions.isKnown(keys)) await positions.changed();
      return true;
    };
    const deadline = timeout(PREPARE_TIMEOUT_MS);
    const inTime = await Promise.race([routed(), deadline.passed]);
    deadline.clear();
    if (inTime) return;
    interest.release(tenant);
    throw new RefusalError("unavailable");
  }

  release(tenant: string): void {
    this.#options.interest.release(tenant);
  }

  /**
   * Greets the connection before this returns; it is live once the promise resolves, unless it closed first.
   * @param lastEventId the cursor a returning client handed back.
   * @throws Error when Redis fails before the connection is caught up.
   */
  async open(connection: Connection, lastEventId: string | null): Promise<void> {
    if (lastEventId !== null) {
      const returning = new Returning(connection, decodeCursor(lastEventId), this.#options);
      connection.greet(returning.cursor());
      return this.#catchUp(connection, returning);
    }
    this.#join(connection);
    connection.greet(this.#options.hub.cursor(connection));
  }

  /**
   * A live connection that was not sent the frame of this cursor leaves the hub at once, and comes back when it has taken
   * everything from there on: to the hub a slow client is a returning one.
   * @throws Error as `open` does.
   */
  async fallBehind(connection: Connection, missedCursor: string): Promise<void> {
    if (!this.#live.has(connection)) return;
    this.close(connection);
    const returning = new Returning(connection, cursorBefore(decodeCursor(missedCursor)!), this.#options);
    await this.#catchUp(connection, returning);
  }

  close(connection: Connection): void {
    if (this.#live.delete(connection)) this.#options.hub.leave(connection);
  }

  /** Takes effect between two events. */
  changeFilter(connection: Connection, filter: TypeFilter): void {
    const isLive = this.#live.has(connection);
    if (isLive) this.#options.hub.leave(connection);
    connection.filter = filter;
    if (isLive) this.#options.hub.join(connection);
  }

  #join(connection: Connection): void {
    this.#options.hub.join(connection);
    this.#live.add(connection);
  }

  async #catchUp(connection: Connection, returning: Returning): Promise<void> {
    const { hub } = this.#options;
    const hold = hub.hold(connection.tenant);
    try {
      await returning.announceGaps();
      await returning.replay();
      await returning.drain(hold, () => this.#join(connection));
    } finally {
      hub.endHold(connection.tenant, hold);
    }
  }
}

/** One connection on its way from its cursor to the present. */
class Returning {
  readonly #connection: Connection;
  readonly #options: ConnectPathOptions;
  readonly #streams: readonly StreamRef[];
  /** Where the connection stands. */
  readonly #standing: Positions;
  readonly #invalid: boolean;
  readonly cursor: WriteCursor;

  /** @param cursor null: not one of ours. */
  constructor(connection: Connection, cursor: Cursor | null, options: ConnectPathOptions) {
    const { layout, positions } = options;
    const topics = channelTopics(connection.channel, layout.topics);
    this.#connection = connection;
    this.#options = options;
    this.#streams = tenantStreams(layout, topics, connection.tenant);
    this.#standing = new Positions(layout);
    const partition = partitionOf(connection.tenant, layout.partitions);
    const named = cursor === null ? null : positionsOf(cursor, this.#streams, partition);
    this.#invalid = named === null;
    const heads = positions.snapshot(this.#streams.map(({ key }) => key));
    for (const { key } of this.#streams) {
      this.#standing.set(key, named === null ? START : (named.get(key) ?? heads.get(key)!));
    }
    this.cursor = this.#standing.cursorWriter(topics, partition);
  }

  /** Says what cannot be given any more, and puts the streams concerned where reading can go on. */
  async announceGaps(): Promise<void> {
    const { replay } = this.#options;
    if (this.#invalid) {
      const topics = new Set(this.#streams.map(({ topic }) => topic));
      for (const topic of topics) this.#connection.sendGap({ stream: topic, reason: "invalid" });
      return;
    }
    const states = await Promise.all(this.#streams.map((stream) => replay.stateOf(stream)));
    for (const [i, stream] of this.#streams.entries()) {
      const standing = this.#standing.get(stream.key)!;
      const { from, gap } = continuityOf(stream.topic, standing, states[i]!);
      if (gap === null) continue;
      this.#connection.sendGap(gap);
      this.#standing.set(stream.key, { id: from, epoch: standing.epoch });
    }
  }

  /** Sends everything between where the connection stands and where this worker does. */
  async replay(): Promise<void> {
    const { replay, positions, resumeMaxEvents } = this.#options;
    const heads = positions.snapshot(this.#streams.map(({ key }) => key));
    const ranges = this.#streams.flatMap((stream): StreamRange[] => {
      const after = this.#standing.get(stream.key)!.id;
      const to = heads.get(stream.key)!.id;
      return compareEntryIds(after, to) < 0 ? [{ stream, after, to }] : [];
    });
    const leftOut = await replay.leftOut(ranges, resumeMaxEvents, (record) => this.#wants(record));
    for (const [i, range] of ranges.entries()) {
      const after = leftOut[i] ?? range.after;
      if (after !== range.after) this.#announceLimit(range, after);
      for await (const { stream, records, upTo } of replay.read({ ...range, after })) {
        for (const record of records) await this.#send(stream.key, record);
        if (this.#connection.isClosed) return;
        this.#standing.advance(stream.key, upTo);
      }
    }
  }

  /**
   * Sends what was held meanwhile. Calls `join` in the very turn in which nothing is left and this worker stands where the
   * connection does, so that no event can come between; never when the connection closes first.
   */
  async drain(hold: Hold, join: () => void): Promise<void> {
    const keys = new Set(this.#streams.map(({ key }) => key));
    while (!this.#connection.isClosed) {
      const held = hold.take();
      if (held === null) await this.replay();
      else if (held.length === 0 && !this.#isAhead()) return join();
      else if (held.length === 0) await this.#options.positions.changed();
      for (const { streamKey, record } of held ?? []) if (keys.has(streamKey)) await this.#send(streamKey, record);
    }
  }

  /** A client that comes from a faster worker has seen events that have yet to come here. */
  #isAhead(): boolean {
    return this.#streams.some(({ key }) => {
      const here = this.#options.positions.get(key)!.id;
      return compareEntryIds(this.#standing.get(key)!.id, here) > 0;
    });
  }

  async #send(streamKey: string, record: BatchRecord): Promise<void> {
    const connection = this.#connection;
    if (!this.#standing.advance(streamKey, record.id) || !this.#wants(record)) return;
    while (!connection.hasRoom) await connection.writable();
    if (connection.isClosed) return;
    const cursor = this.cursor(streamKey);
    connection.send(composeFrame(connection.format, connection.channel, record, cursor), cursor);
  }

  #announceLimit({ stream, after }: StreamRange, to: string): void {
    this.#connection.sendGap({ stream: stream.topic, reason: "limit", from: after, to });
    this.#standing.advance(stream.key, to);
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

function timeout(ms: number): { passed: Promise<false>; clear: () => void } {
  let timer: NodeJS.Timeout;
  const passed = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  return { passed, clear: () => clearTimeout(timer) };
}
