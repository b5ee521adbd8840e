import type { Log } from "../observe/log.js";
import type { WorkerMetrics } from "../observe/metrics.js";
import type { Pool } from "../pool/pool.js";
import type { BatchSection } from "../protocol/batch.js";
import type { Assignment, Peer, ToPrimary } from "../protocol/control.js";
import type { EntryId } from "../protocol/entry-id.js";
import type { StreamPositionEntry } from "../protocol/relay.js";
import { type StreamRef, type UnitId, unitStreams } from "../protocol/stream.js";
import type { Gap } from "../protocol/websocket.js";
import { connectRedis, type RedisClient, type RedisTarget } from "../redis/connect.js";
import { countReset, readEpochs } from "../redis/epochs.js";
import { Interest } from "./fanout/interest.js";
import type { Positions } from "./fanout/positions.js";
import { Progress } from "./fanout/progress.js";
import { Relay } from "./fanout/relay.js";
import { type CompareStream, Intake } from "./intake/intake.js";
import { Lag } from "./intake/lag.js";
import { Readers } from "./intake/readers.js";

export interface DeliverPathOptions {
  readonly assignment: Assignment;
  readonly redis: RedisTarget;
  /** For everything that does not block. */
  readonly commands: RedisClient;
  readonly pool: Pool;
  readonly positions: Positions;
  /** Hands events to this worker's own subscribers. */
  readonly broadcast: (sections: readonly BatchSection[]) => void;
  /** Events of this tenant no longer come here. */
  readonly onUninterested: (tenant: string) => void;
  readonly compare: CompareStream;
  /** Whoever reads the stream here is to be told of the gap; what is delivered next comes after it. */
  readonly onMissed: (key: string, gap: Gap) => void;
  /** The stream starts anew, in this epoch. */
  readonly onReset: (key: string, epoch: number) => void;
  readonly tellPrimary: (message: ToPrimary) => void;
  readonly metrics: WorkerMetrics;
  readonly log: Log;
  /** Unix time in milliseconds. */
  readonly now: () => number;
}

/**
 * Redis → intake → pool → hub, and beside the hub the relay to the siblings. Which streams this worker reads, the primary
 * says as it goes along; what siblings read and is of interest here comes in by the relay.
 */
export class DeliverPath {
  readonly interest: Interest;
  readonly #options: DeliverPathOptions;
  readonly #relay: Relay;
  readonly #progress: Progress;
  readonly #readers: Readers;
  readonly #lag: Lag;
  /** What the primary gave us. */
  readonly #units = new Set<UnitId>();
  #measuring = false;

  constructor(options: DeliverPathOptions) {
    const { assignment, broadcast, tellPrimary, redis, now } = options;
    this.#options = options;
    this.#progress = new Progress();
    this.#lag = new Lag(options.commands, now);
    this.#readers = new Readers({ mode: redis.mode, open: (...what) => this.#openIntake(...what) });
    this.#relay = new Relay({
      self: { incarnation: assignment.incarnation, socketPath: assignment.socketPath },
      ownInterest: () => this.interest.entries(),
      ownPositions: () => this.#progress.all(),
      settled: () => this.#readers.settled(),
      onBatch: broadcast,
      onPositions: (entries) => this.#ownersAt(entries),
      onMissed: options.onMissed,
      onReset: options.onReset,
      onHandover: (move, entries) => this.#handedOver(move, entries),
      onLost: (incarnation) => tellPrimary({ kind: "lost-sibling", incarnation }),
    });
    this.interest = new Interest({
      declare: (add, remove) => {
        this.#relay.declareInterest(add, remove);
        for (const tenant of remove) options.onUninterested(tenant);
      },
      barrier: async () => {
        await Promise.all([this.#relay.barrier(), this.#readers.settled()]);
      },
      now,
    });
  }

  /** From here on siblings can link up. @throws Error when the socket cannot be made. */
  listen(): Promise<void> {
    return this.#relay.listen();
  }

  meet(peers: readonly Peer[]): void {
    this.#relay.meet(peers);
  }

  /** Resolves once this worker can be handed streams: every sibling says what it wants of them. */
  allMet(): Promise<void> {
    return this.#relay.allMet();
  }

  /** Reads these from now on. They have no other reader, and every sibling has heard all of the last one. */
  async takeOver(units: readonly UnitId[]): Promise<void> {
    const { positions } = this.#options;
    const streams = this.#streamsOf(units);
    const known = streams.flatMap(({ key }): [string, EntryId][] => {
      const position = positions.get(key);
      return position === undefined ? [] : [[key, position.id]];
    });
    for (const unit of units) this.#units.add(unit);
    await this.#readers.take(streams, new Map(known));
  }

  /** Stops reading these, and tells every sibling where they stand. */
  async release(units: readonly UnitId[], move: number): Promise<void> {
    const keys = this.#streamsOf(units).map(({ key }) => key);
    for (const unit of units) this.#units.delete(unit);
    const processed = await this.#readers.release(keys);
    this.#progress.remove(keys);
    this.#lag.forget(keys);
    this.#options.positions.disown(keys);
    const told = this.#relay.handOver(move, this.#entries(processed));
    this.#options.tellPrimary({ kind: "released", move, told });
  }

  /** A sibling has died, and with it these units lost their reader. */
  async gone(incarnation: number, units: readonly UnitId[], move: number): Promise<void> {
    await this.#relay.gone(incarnation);
    this.#options.positions.disown(this.#streamsOf(units).map(({ key }) => key));
    this.#relay.forget(incarnation);
    this.#options.tellPrimary({ kind: "handed-over", move });
  }

  /** What keeps this worker from delivering what it reads. Empty: nothing. */
  problems(): string[] {
    return [...(this.#readers.isReading ? [] : ["not every stream is being read"]), ...this.#readers.problems];
  }

  /** To be called every second. */
  announceProgress(): void {
    this.#relay.announceProgress(this.#progress.changed());
  }

  /** To be called now and then: tells the primary how far behind the own streams are, unless Redis is away. */
  async reportLag(): Promise<void> {
    if (this.#measuring) return;
    this.#measuring = true;
    try {
      const streams = await Promise.all(this.#progress.all().map(([key, position]) => this.#lag.of(key, position)));
      this.#options.tellPrimary({ kind: "progress", streams });
    } catch (error) {
      this.#options.log.debug({ err: error }, "the lag could not be measured");
    } finally {
      this.#measuring = false;
    }
  }

  stopReading(): Promise<void> {
    return this.#readers.stop();
  }

  close(): void {
    this.#relay.close();
  }

  #entries(positions: Iterable<readonly [key: string, id: EntryId]>): StreamPositionEntry[] {
    return [...positions].map(([key, id]) => {
      const epoch = this.#options.positions.get(key)?.epoch ?? 0;
      return epoch === 0 ? [key, id] : [key, id, epoch];
    });
  }

  #tellReading(): void {
    const read = new Set(this.#progress.all().map(([key]) => key));
    const units = [...this.#units].filter((unit) => this.#streamsOf([unit]).every(({ key }) => read.has(key)));
    this.#options.tellPrimary({ kind: "reading", units });
  }

  #streamsOf(units: readonly UnitId[]): StreamRef[] {
    return units.flatMap((unit) => unitStreams(this.#options.assignment.layout, unit));
  }

  #ownersAt(entries: Iterable<StreamPositionEntry>): void {
    const { positions } = this.#options;
    for (const [key, id, epoch] of entries) positions.ownerAt(key, id, epoch);
    positions.announce();
  }

  #handedOver(move: number, entries: readonly StreamPositionEntry[]): void {
    this.#ownersAt(entries);
    this.#options.positions.disown(entries.map(([key]) => key));
    this.#options.tellPrimary({ kind: "handed-over", move });
  }

  #openIntake(streams: readonly StreamRef[], known: ReadonlyMap<string, EntryId>, continues: boolean): Intake {
    const { assignment, redis, commands, pool, broadcast, compare, onMissed, onReset, metrics, log } = this.#options;
    const [relay, interest] = [this.#relay, this.interest];
    return new Intake({
      group: assignment.group,
      streams,
      known,
      continues,
      commands,
      connect: () =>
        connectRedis(redis, {
          name: `ragline-gateway-${assignment.worker}-reader`,
          blocking: true,
          onError: (error) => log.warn({ err: error, connection: "reader" }, "Redis connection failed"),
        }),
      encode: (raw) =>
        pool.encode(raw, {
          msgpack: interest.takesMsgpack() || relay.wantsMsgpack(),
          wants: (tenant) => interest.has(tenant) || relay.wants(tenant),
        }),
      deliver: async (sections) => {
        const handedOver = relay.relay(sections);
        this.#progress.note(this.#entries(sections.map(({ streamKey, lastId }) => [streamKey, lastId])));
        broadcast(sections);
        await handedOver;
      },
      compare,
      onMissed: ({ key }, gap) => {
        log.warn({ stream: key, gap }, "entries were removed before they were read");
        relay.announceMissed(key, gap);
        onMissed(key, gap);
      },
      onReset: async ({ key }) => {
        const epoch = await countReset(commands, key, this.#options.positions.get(key)?.epoch ?? 0);
        log.warn({ stream: key, epoch }, "a stream was deleted or went back in time");
        relay.announceReset(key, epoch);
        onReset(key, epoch);
      },
      onAttached: async (attached) => {
        const epochs = await readEpochs(commands);
        const entries = [...attached].map(([key, id]): StreamPositionEntry => [key, id, epochs.get(key) ?? 0]);
        this.#progress.note(entries);
        this.#ownersAt(entries);
        relay.announceProgress(entries);
        this.#tellReading();
      },
      onRead: (entries, byStream) => {
        metrics.eventsRead(entries);
        for (const [key, count] of byStream) this.#lag.delivered(key, count);
      },
      onDeadLetter: (reason) => metrics.deadLetter(reason),
      log,
    });
  }
}
