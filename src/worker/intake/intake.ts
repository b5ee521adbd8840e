import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../observe/log.js";
import type { BatchSection } from "../../protocol/batch.js";
import { compareEntryIds, type EntryId, previousEntryId, ZERO_ID } from "../../protocol/entry-id.js";
import type { RawSection } from "../../protocol/event.js";
import type { StreamRef } from "../../protocol/stream.js";
import type { Gap } from "../../protocol/websocket.js";
import { type RedisClient, retryDelay, whenReady } from "../../redis/connect.js";
import { CONSUMER, canaryKey } from "../../redis/keys.js";
import {
  acknowledge,
  addCanary,
  addDeadLetter,
  type GroupRead,
  readGroup,
  restartGroup,
  type StreamState,
  streamState,
  streamStates,
} from "../../redis/streams.js";
import { attachStream } from "./attach.js";
import { Canary } from "./canary.js";

export interface IntakeOptions {
  readonly group: string;
  readonly streams: readonly StreamRef[];
  /** About where the streams stood lately, in case the group has to be made again. */
  readonly known: ReadonlyMap<string, EntryId>;
  /** The streams were read until now, and reading only changes hands. */
  readonly continues: boolean;
  /** For everything that does not block. */
  readonly commands: RedisClient;
  /** Opens the connection this intake blocks on. */
  readonly connect: () => RedisClient;
  readonly encode: (raw: readonly RawSection[]) => Promise<Encoded>;
  /** Resolves once the events are with the local sockets and every interested sibling. */
  readonly deliver: (sections: readonly BatchSection[]) => Promise<void>;
  /** What became of a stream since everything up to `position` was delivered. */
  readonly compare: CompareStream;
  /** Entries that nobody can get any more stood where the gap says. Said before what comes after them is delivered. */
  readonly onMissed: (stream: StreamRef, gap: Gap) => void;
  /** The stream was deleted or went back in time, and is read from its start. */
  readonly onReset: (stream: StreamRef) => Promise<void>;
  /** Where each stream stands before the first read. */
  readonly onAttached: (positions: ReadonlyMap<string, EntryId>) => Promise<void>;
  /** Entries read, delivered and acknowledged. */
  readonly onRead: (entries: number, byStream: ReadonlyMap<string, number>) => void;
  /** An entry nobody can get was put aside. */
  readonly onDeadLetter: (reason: string) => void;
  readonly log: Log;
}

export type CompareStream = (stream: StreamRef, position: EntryId, state: StreamState | null) => Gap | null;

export interface Encoded {
  readonly sections: readonly BatchSection[];
  readonly deadLetters: readonly { key: string; id: EntryId; reason: string }[];
}

/** Most entries of each stream in one read. */
const COUNT = 250;
/** Milliseconds Redis holds a read open while nothing comes. */
const BLOCK_MS = 2_000;
/**
 * Milliseconds after attaching in which whoever read before may still be handed entries: Redis notices only after a while
 * that a process died, or that a connection broke.
 */
const SETTLE_MS = 5_000;
/** Milliseconds a read is held open meanwhile. */
const SETTLING_BLOCK_MS = 200;
/** Milliseconds after which a read without any answer means that the connection is dead. */
const HUNG_AFTER_MS = BLOCK_MS + 5_000;

/**
 * Reads a set of streams that one XREADGROUP can name, forever: new entries in large batches, each delivered and then
 * acknowledged; after any interruption first what was delivered and not acknowledged.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #streams: ReadonlyMap<string, StreamRef>;
  /** Of streams that are attached: the last entry delivered, or where the stream stood before the first. */
  readonly #processed = new Map<string, EntryId>();
  /** Read like the other streams, and delivered to nobody. */
  readonly #canaryStream: StreamRef;
  readonly #canary: Canary;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #handling: Promise<void> = Promise.resolve();
  #reader: RedisClient | null = null;
  #reading: boolean;
  /** Interruptions since the last read that was delivered. */
  #failures = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#canaryStream = { key: canaryKey(options.group, options.streams[0]!.key), topic: "", partition: null };
    this.#streams = new Map([...options.streams, this.#canaryStream].map((stream) => [stream.key, stream]));
    this.#canary = new Canary({
      send: () => addCanary(options.commands, this.#canaryStream.key),
      now: () => performance.now(),
    });
    this.#reading = options.continues;
    this.#running = this.#run();
  }

  /** Whether the last attempt to read got an answer. */
  get isReading(): boolean {
    return this.#reading;
  }

  /** What keeps delivery from being proven; null: it is. */
  get problem(): string | null {
    return this.#canary.problem;
  }

  /** Milliseconds since delivery was last proven. */
  get canaryAge(): number {
    return this.#canary.age;
  }

  /** The last entry delivered of each stream that is attached, or where it stood before the first. */
  get processed(): ReadonlyMap<string, EntryId> {
    return this.#processed;
  }

  /** As `processed`; of streams that are not attached yet, what was known before. */
  get known(): ReadonlyMap<string, EntryId> {
    return new Map([...this.#options.known, ...this.#processed]);
  }

  /** Resolves once everything read so far has been delivered. */
  settled(): Promise<void> {
    return this.#handling.catch(() => {});
  }

  /** Finishes what was read, then stops. What Redis hands out meanwhile stays pending for the next owner. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#canary.stop();
    this.#hangUp();
    await this.#running;
  }

  /** A connection that is still being made fails by that, which nobody has to hear of. */
  #hangUp(): void {
    this.#reader?.removeAllListeners("error").on("error", () => {});
    this.#reader?.disconnect();
  }

  async #run(): Promise<void> {
    const reader = this.#options.connect();
    this.#reader = reader;
    while (!this.#stopping.signal.aborted) {
      try {
        await whenReady(reader, this.#stopping.signal);
        const isFirst = await this.#attach();
        await this.#readPending(reader);
        if (!isFirst) await this.#readAfterAnother(reader);
        await this.#readNew(reader);
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        // The stream was deleted, and our group with it: it is made again at once, and nobody has to know.
        if (isGroupGone(error) && this.#failures++ === 0) continue;
        this.#reading = false;
        this.#options.log.warn({ err: error }, "reading from Redis was interrupted");
        await delay(retryDelay(this.#failures++), undefined, { signal: this.#stopping.signal }).catch(() => {});
      }
    }
    reader.disconnect();
  }

  /** @returns whether nobody can have read any of the streams before in the gateway's name. */
  async #attach(): Promise<boolean> {
    const { commands, group, streams, onAttached } = this.#options;
    await whenReady(commands, this.#stopping.signal);
    await attachStream(commands, group, this.#canaryStream, undefined);
    const attached = await Promise.all(
      streams.map(async (stream) => {
        await this.#resume(stream);
        return { stream, ...(await attachStream(commands, group, stream, this.#lastKnown(stream))) };
      }),
    );
    for (const { stream, position } of attached) {
      if (!this.#processed.has(stream.key)) this.#processed.set(stream.key, position);
    }
    await onAttached(new Map(attached.map(({ stream, position }) => [stream.key, position])));
    this.#reading = true;
    return attached.every(({ isNew }) => isNew);
  }

  /** After an interruption the stream may be another one, or have lost what was not yet read. */
  async #resume(stream: StreamRef): Promise<void> {
    const { commands, group, compare, onMissed, onReset } = this.#options;
    const position = this.#lastKnown(stream);
    if (position === undefined) return;
    const state = await streamState(commands, stream.key);
    const gap = compare(stream, position, state);
    if (gap === null) return;
    if (state !== null && gap.reason !== "reset") {
      const first = state.firstId ?? state.lastId;
      const isAllBefore = compareEntryIds(first, position) > 0;
      onMissed(stream, { stream: gap.stream, reason: gap.reason, from: position, ...(isAllBefore && { to: first }) });
      if (isAllBefore) this.#processed.set(stream.key, previousEntryId(first));
      return;
    }
    await restartGroup(commands, stream.key, group);
    this.#processed.set(stream.key, ZERO_ID);
    await onReset(stream);
  }

  #lastKnown({ key }: StreamRef): EntryId | undefined {
    return this.#processed.get(key) ?? this.#options.known.get(key);
  }

  /** What was trimmed or deleted before these entries could be read. */
  async #missedBefore(events: readonly RawSection[]): Promise<[StreamRef, Gap][]> {
    const { commands, compare } = this.#options;
    const states = await streamStates(
      commands,
      events.map(({ key }) => key),
    );
    return events.flatMap(({ key, entries }, i): [StreamRef, Gap][] => {
      const [stream, state, first] = [this.#streams.get(key)!, states[i] ?? null, entries[0]!.id];
      const processed = this.#processed.get(key);
      if (state === null || processed === undefined || compareEntryIds(first, processed) <= 0) return [];
      if (compare(stream, processed, state) === null) return [];
      return [[stream, { stream: stream.topic, reason: "trimmed", from: processed, to: first }]];
    });
  }

  async #readPending(reader: RedisClient): Promise<void> {
    for (;;) {
      const entries = await this.#read(reader, { after: "0" });
      this.#stopping.signal.throwIfAborted();
      if (entries.length === 0) return;
      await this.#handle(entries);
    }
  }

  /** Also what another reader is handed meanwhile: it is in the list of pending entries, in order with our own. */
  async #readAfterAnother(reader: RedisClient): Promise<void> {
    const until = performance.now() + SETTLE_MS;
    while (performance.now() < until) {
      await this.#read(reader, { after: ">", blockMs: SETTLING_BLOCK_MS });
      this.#stopping.signal.throwIfAborted();
      await this.#readPending(reader);
    }
  }

  async #readNew(reader: RedisClient): Promise<never> {
    for (;;) {
      if (this.#canary.isLost) {
        reader.disconnect(true);
        throw new Error("nothing is read although Redis has something");
      }
      const entries = await this.#read(reader, { after: ">", blockMs: BLOCK_MS });
      this.#stopping.signal.throwIfAborted();
      if (entries.length > 0) await this.#handle(entries);
      this.#failures = 0;
    }
  }

  async #read(reader: RedisClient, what: Pick<GroupRead, "after" | "blockMs">): Promise<RawSection[]> {
    const keys = [...this.#streams.keys()];
    const watchdog = setTimeout(() => reader.disconnect(true), HUNG_AFTER_MS);
    try {
      const { group } = this.#options;
      const entries = await readGroup(reader, { group, consumer: CONSUMER, keys, count: COUNT, ...what });
      return [...entries]
        .filter(([, list]) => list.length > 0)
        .map(([key, list]) => ({ key, topic: this.#streams.get(key)!.topic, entries: list }));
    } finally {
      clearTimeout(watchdog);
    }
  }

  #handle(raw: readonly RawSection[]): Promise<void> {
    this.#handling = this.#deliverAndAcknowledge(raw);
    return this.#handling;
  }

  async #deliverAndAcknowledge(raw: readonly RawSection[]): Promise<void> {
    const { encode, deliver, commands, group } = this.#options;
    const events = raw.filter(({ key }) => key !== this.#canaryStream.key);
    const [{ sections, deadLetters }, missed] = await Promise.all([encode(events), this.#missedBefore(events)]);
    for (const [stream, gap] of missed) this.#options.onMissed(stream, gap);
    await deliver(sections);
    if (events.length < raw.length) this.#canary.arrived();
    for (const { streamKey, lastId } of sections) this.#processed.set(streamKey, lastId);
    await this.#buryDeadLetters(events, deadLetters);
    await acknowledge(commands, group, new Map(raw.map(({ key, entries }) => [key, entries.map(({ id }) => id)])));
    const byStream = new Map(events.map(({ key, entries }) => [key, entries.length]));
    this.#options.onRead(
      events.reduce((sum, { entries }) => sum + entries.length, 0),
      byStream,
    );
  }

  async #buryDeadLetters(raw: readonly RawSection[], deadLetters: Encoded["deadLetters"]): Promise<void> {
    const { commands, log } = this.#options;
    for (const { key, id, reason } of deadLetters) {
      const entry = raw.find((section) => section.key === key)!.entries.find((candidate) => candidate.id === id)!;
      log.warn({ stream: key, entry: id, reason }, "an entry can be delivered to nobody");
      await addDeadLetter(commands, this.#streams.get(key)!.topic, { key, entry, reason });
      this.#options.onDeadLetter(reason);
    }
  }
}

function isGroupGone(error: unknown): boolean {
  return error instanceof Error && /^(NOGROUP|UNBLOCKED)/.test(error.message);
}
