import { setImmediate as nextTurn } from "node:timers/promises";
import { pack } from "msgpackr";
import { encodeEvents } from "../../../src/pool/encode-events.ts";
import type { Channel } from "../../../src/protocol/channel.ts";
import type { EntryId } from "../../../src/protocol/entry-id.ts";
import { partitionOf } from "../../../src/protocol/partition.ts";
import { allUnits, partitionStream, type StreamRef, sharedStream, unitStreams } from "../../../src/protocol/stream.ts";
import type { Gap } from "../../../src/protocol/websocket.ts";
import type { RedisClient } from "../../../src/redis/connect.ts";
import type { Connection } from "../../../src/worker/catch-up/connection.ts";
import { SharedBlocks } from "../../../src/worker/catch-up/shared-blocks.ts";
import { ConnectPath } from "../../../src/worker/connect-path.ts";
import { Heartbeats } from "../../../src/worker/fanout/heartbeats.ts";
import { Hub } from "../../../src/worker/fanout/hub.ts";
import { Interest } from "../../../src/worker/fanout/interest.ts";
import { Positions } from "../../../src/worker/fanout/positions.ts";
import { History } from "../../../src/worker/resume/history.ts";
import { RangeReader } from "../../../src/worker/resume/range-reader.ts";
import { Turns } from "../../../src/worker/resume/turns.ts";
import { until } from "../../support/until.ts";
import { LAYOUT, Listener, QueueingSink, readFrame } from "../fanout/listener.ts";

/** A connection whose client takes what it is sent only when it is told to. */
export class Visitor extends Listener implements Connection {
  isClosed = false;
  greeting = "";
  /** Gaps and the numbers of events, in the order they came. */
  readonly story: (number | Gap)[] = [];
  /** Live frames it can be sent before it is over its limit. */
  readonly limit: number;
  onBehind: (cursor: string) => void = () => {};
  failure: unknown;
  #unsent = 0;
  #isReading = true;
  #wake: () => void = () => {};
  #wakeable = Promise.resolve();

  constructor(
    tenant: string,
    channel: Channel,
    options: ConstructorParameters<typeof Listener>[2] & { limit?: number } = {},
  ) {
    super(tenant, channel, options);
    this.limit = options.limit ?? Number.POSITIVE_INFINITY;
  }

  get room(): number {
    return this.#unsent === 0 ? 4_096 : 0;
  }

  greet(cursor: string): void {
    this.greeting = cursor;
  }

  sendGap(gap: Gap): void {
    this.story.push(gap);
    this.#sent(1);
  }

  override send(frame: Uint8Array, cursor: string): void {
    if (this.isClosed) throw new Error("sent to a connection that is closed");
    if (this.#unsent >= this.limit) {
      this.onBehind(cursor);
      return;
    }
    super.send(frame, cursor);
    this.story.push((this.frames.at(-1)!.data as { n: number }).n);
    this.#sent(1);
  }

  sendFrames(frames: Uint8Array, ends: readonly number[]): void {
    if (this.isClosed || this.room === 0) throw new Error("sent to a connection without room");
    let start = 0;
    for (const end of ends) {
      this.frames.push(readFrame(this.format, frames.subarray(start, end)));
      this.story.push((this.frames.at(-1)!.data as { n: number }).n);
      start = end;
    }
    this.#sent(ends.length);
  }

  writable(): Promise<void> {
    return this.#wakeable;
  }

  pause(): void {
    this.#isReading = false;
  }

  resume(): void {
    this.#isReading = true;
    this.#unsent = 0;
    this.#wake();
  }

  close(): void {
    this.isClosed = true;
    this.#wake();
  }

  #sent(frames: number): void {
    if (this.#isReading) return;
    if (this.#unsent === 0) {
      this.#wakeable = new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#unsent += frames;
  }
}

export interface WorldOptions {
  readonly historyBytes?: number;
  readonly resumeMaxEvents?: number;
}

export interface SentTo {
  readonly tenant?: string;
  readonly topic?: string;
  readonly shared?: boolean;
  readonly target?: string;
}

/** Adds events to Redis. Each has a number, which is its time too and stands in its payload as `n`. */
export class Producer {
  readonly #client: RedisClient;
  readonly sent: { readonly n: number; readonly key: string; readonly tenant: string; readonly target?: string }[] = [];

  constructor(client: RedisClient) {
    this.#client = client;
  }

  /** @returns the numbers. */
  async add(
    count: number,
    { tenant = "acme", topic = "orders", shared = true, target }: SentTo = {},
  ): Promise<number[]> {
    const { key } = streamOf(tenant, topic, shared);
    const toUser = target === undefined ? {} : { target_user_id: target };
    const numbers = Array.from({ length: count }, (_, i) => this.sent.length + 1 + i);
    for (const n of numbers) {
      this.sent.push({ n, key, tenant, ...(target !== undefined && { target }) });
      await this.#client.xadd(
        key,
        `${n}-0`,
        "m",
        pack({ event_type: "t", tenant_id: tenant, payload: { n }, ...toUser }),
      );
    }
    return numbers;
  }
}

/** One worker that reads a real Redis when it is told to, and all that stands between there and its connections. */
export class World {
  readonly #client: RedisClient;
  readonly positions = new Positions(LAYOUT);
  readonly history: History;
  readonly hub: Hub;
  readonly path: ConnectPath;
  readonly #read = new Map<string, EntryId>();
  msgpack = true;

  constructor(client: RedisClient, { historyBytes = 10_000_000, resumeMaxEvents = 1_000_000 }: WorldOptions = {}) {
    this.#client = client;
    const positions = this.positions;
    this.history = new History(historyBytes);
    const heartbeats = new Heartbeats(0);
    const openAudience = (...audience: ConstructorParameters<typeof QueueingSink>) => new QueueingSink(...audience);
    this.hub = new Hub({ layout: LAYOUT, positions, heartbeats, openAudience });
    this.path = new ConnectPath({
      layout: LAYOUT,
      positions,
      hub: this.hub,
      history: this.history,
      interest: new Interest({ declare: () => {}, barrier: async () => {}, now: () => 0 }),
      ranges: new RangeReader({
        commands: client,
        encode: async (raw, msgpack) => encodeEvents(raw, { msgpack }).sections,
        cacheBytes: historyBytes,
      }),
      turns: new Turns(),
      blocks: new SharedBlocks(historyBytes),
      resumeMaxEvents,
      retry: async (connection, error) => {
        (connection as Visitor).failure = error;
        (connection as Visitor).close();
      },
    });
    for (const { key } of this.#streams()) positions.advance(key, "0-0");
  }

  /** Delivers what the worker has not read yet, at most so much of each stream. */
  async deliver(most = 1_000_000): Promise<void> {
    const raw = await Promise.all(
      this.#streams().map(async ({ key, topic }) => {
        const after = this.#read.get(key) ?? "0-0";
        const reply = (await this.#client.xrangeBuffer(key, `(${after}`, "+", "COUNT", most)) as [Buffer, Buffer[]][];
        return { key, topic, entries: reply.map(([id, fields]) => ({ id: String(id), fields })) };
      }),
    );
    const { sections } = encodeEvents(raw, { msgpack: this.msgpack });
    for (const { streamKey, lastId } of sections) this.#read.set(streamKey, lastId);
    this.history.keep(sections);
    this.hub.deliver(sections);
  }

  /** Connects, or comes back with a cursor. */
  async visit(visitor: Visitor, lastEventId: string | null = null): Promise<Visitor> {
    await this.path.prepare(visitor.tenant, visitor.format === "msgpack");
    visitor.onBehind = (cursor) => void this.path.fallBehind(visitor, cursor);
    void this.path.open(visitor, lastEventId);
    return visitor;
  }

  leave(visitor: Visitor): void {
    visitor.close();
    this.path.close(visitor);
    this.path.release(visitor.tenant);
  }

  /** The stream was deleted, and the worker that owns it has found out. */
  reset(stream: StreamRef, epoch: number): void {
    this.#read.set(stream.key, "0-0");
    this.path.resetStream(stream.key, epoch);
  }

  isLive(visitor: Visitor): boolean {
    return [...this.hub.rooms()].some((room) => room.users().get(visitor.user)?.has(visitor));
  }

  /** Resolves once all are live. */
  async allLive(visitors: readonly Visitor[]): Promise<void> {
    await until("everyone has caught up", () => {
      const failed = visitors.find(({ failure }) => failure !== undefined);
      if (failed !== undefined) throw failed.failure;
      return visitors.every((visitor) => this.isLive(visitor));
    });
  }

  #streams(): StreamRef[] {
    return allUnits(LAYOUT).flatMap((unit) => unitStreams(LAYOUT, unit));
  }
}

export function streamOf(tenant: string, topic = "orders", shared = true): StreamRef {
  return shared ? sharedStream(LAYOUT, topic) : partitionStream(LAYOUT, topic, partitionOf(tenant, LAYOUT.partitions));
}

/** Some turns of the event loop, in which whatever is ready goes on. */
export async function someTurns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}
