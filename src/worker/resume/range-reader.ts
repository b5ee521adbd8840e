import type { BatchSection } from "../../protocol/batch.js";
import { compareEntryIds, type EntryId, previousEntryId } from "../../protocol/entry-id.js";
import { entrySize, type RawEntry, type RawSection } from "../../protocol/event.js";
import type { StreamRef } from "../../protocol/stream.js";
import type { RedisClient } from "../../redis/connect.js";
import { readRange, readRangeEnd, type StreamState, streamState } from "../../redis/streams.js";
import { type Chunk, ChunkCache, reachesBackFrom, reachesOnFrom, sizeOf } from "./chunk.js";
import { Slots } from "./slots.js";

export interface RangeReaderOptions {
  readonly commands: RedisClient;
  readonly encode: (raw: readonly RawSection[], msgpack: boolean) => Promise<readonly BatchSection[]>;
  /** Bytes of pieces kept for others who come for the same. */
  readonly cacheBytes: number;
}

/** Who needs a piece. */
export interface Asker {
  readonly tenant: string;
  readonly msgpack: boolean;
}

/** What of one stream is to be read: after `after`, up to and including `to`. */
export interface StreamRange {
  readonly stream: StreamRef;
  readonly after: EntryId;
  readonly to: EntryId;
}

/** Bytes of entries a piece should have. How large entries are is learned from stream to stream. */
const CHUNK_BYTES = 256 * 1024;
const MOST_ENTRIES = 250;
/** Entries of the first piece of a stream, whose entries may be of any size. */
const FIRST_ENTRIES = 32;
/** Reads at the same time; Redis serves one after the other anyway. */
const READS = { total: 8, perTenant: 2 };

type Direction = "forward" | "backward";

interface Running {
  readonly direction: Direction;
  /** Where the read begins: `after` of one that goes forward, `to` of one that goes backward. */
  readonly start: EntryId;
  readonly msgpack: boolean;
  readonly chunk: Promise<Chunk>;
}

/**
 * Older events, read from Redis piece by piece. Who needs a piece that is being read, or was lately, gets that one; who
 * needs what stands before such a piece reads up to it, so that all who are on the same stretch soon share every read.
 */
export class RangeReader {
  readonly #options: RangeReaderOptions;
  readonly #slots = new Slots(READS);
  readonly #cache: ChunkCache;
  readonly #running = new Map<string, Set<Running>>();
  readonly #states = new Map<string, Promise<StreamState | null>>();
  readonly #entryBytes = new Map<string, number>();

  constructor(options: RangeReaderOptions) {
    this.#options = options;
    this.#cache = new ChunkCache(options.cacheBytes);
  }

  /** The stream as it is now. Who asks meanwhile gets the same answer. */
  stateOf({ key }: StreamRef): Promise<StreamState | null> {
    let state = this.#states.get(key);
    if (state === undefined) {
      state = streamState(this.#options.commands, key).finally(() => this.#states.delete(key));
      this.#states.set(key, state);
    }
    return state;
  }

  /** A piece of the range that begins at its start, or before. */
  readStart(asker: Asker, range: StreamRange): Promise<Chunk> {
    return this.#read(asker, range, "forward");
  }

  /** A piece of the range that ends at its end, or behind. */
  readEnd(asker: Asker, range: StreamRange): Promise<Chunk> {
    return this.#read(asker, range, "backward");
  }

  /** The stream starts anew: what was read of it, or is being read, is not for anyone who comes now. */
  forgetStream(key: string): void {
    this.#cache.forgetStream(key);
    this.#running.delete(key);
    this.#states.delete(key);
  }

  async #read(asker: Asker, range: StreamRange, direction: Direction): Promise<Chunk> {
    const { key } = range.stream;
    const start = direction === "forward" ? range.after : range.to;
    const reaches = direction === "forward" ? reachesOnFrom : reachesBackFrom;
    const find = () => this.#cache.find(key, (chunk) => reaches(chunk, start) && (chunk.msgpack || !asker.msgpack));
    const runningFor = (accepts: (read: Running) => boolean) =>
      this.#runningReads(key, direction).find((read) => (read.msgpack || !asker.msgpack) && accepts(read))?.chunk;
    const near = find() === undefined && runningFor(({ start: other }) => compareEntryIds(other, start) < 0);
    if (direction === "forward" && near) {
      // It may hold what is needed, too; if not, that costs one round trip.
      const chunk = await near;
      if (reaches(chunk, start)) return chunk;
    }
    const known = find() ?? runningFor((read) => read.start === start);
    return known ?? this.#start(asker, direction === "forward" ? this.#upToKnown(range) : range, direction);
  }

  /** The range up to where a known piece starts. */
  #upToKnown(range: StreamRange): StreamRange {
    const { key } = range.stream;
    const starts = [...this.#cache.starts(key), ...this.#runningReads(key, "forward").map(({ start }) => start)];
    const to = starts
      .filter((start) => compareEntryIds(range.after, start) < 0)
      .reduce((nearest, start) => (compareEntryIds(start, nearest) < 0 ? start : nearest), range.to);
    return { ...range, to };
  }

  #runningReads(key: string, direction: Direction): Running[] {
    return [...(this.#running.get(key) ?? [])].filter((read) => read.direction === direction);
  }

  #start(asker: Asker, range: StreamRange, direction: Direction): Promise<Chunk> {
    const { key } = range.stream;
    const chunk = this.#slots.run(asker.tenant, () => this.#readNow(range, direction, asker.msgpack));
    const start = direction === "forward" ? range.after : range.to;
    const running: Running = { direction, start, msgpack: asker.msgpack, chunk };
    const ofStream = this.#running.get(key) ?? new Set();
    this.#running.set(key, ofStream.add(running));
    const ended = () => {
      // A stream that was forgotten meanwhile has another set by now, or none.
      const isKnown = this.#running.get(key) === ofStream;
      ofStream.delete(running);
      if (isKnown && ofStream.size === 0) this.#running.delete(key);
      return isKnown;
    };
    chunk.then(
      (read) => {
        if (ended() && isSettled(read)) this.#cache.add(key, read);
      },
      () => void ended(),
    );
    return chunk;
  }

  async #readNow(range: StreamRange, direction: Direction, msgpack: boolean): Promise<Chunk> {
    const { stream, after, to } = range;
    const { commands, encode } = this.#options;
    const count = this.#entriesOfChunk(stream.key);
    const read = direction === "forward" ? readRange : readRangeEnd;
    const entries = await read(commands, stream.key, after, to, count);
    this.#learnSize(stream.key, entries);
    // Not before the entries: what the state does not show as removed was there when they were read.
    const [state, sections] = await Promise.all([
      streamState(commands, stream.key),
      encode([{ key: stream.key, topic: stream.topic, entries }], msgpack),
    ]);
    const records = sections.flatMap((section) => section.records);
    const isWhole = entries.length < count;
    return {
      after: direction === "backward" && !isWhole ? previousEntryId(entries[0]!.id) : after,
      upTo: direction === "forward" && !isWhole ? entries.at(-1)!.id : to,
      records,
      msgpack,
      state,
      bytes: sizeOf(records),
    };
  }

  #entriesOfChunk(key: string): number {
    const entryBytes = this.#entryBytes.get(key);
    if (entryBytes === undefined) return FIRST_ENTRIES;
    return Math.max(1, Math.min(MOST_ENTRIES, Math.floor(CHUNK_BYTES / entryBytes)));
  }

  #learnSize(key: string, entries: readonly RawEntry[]): void {
    if (entries.length === 0) return;
    const bytes = entries.reduce((sum, { fields }) => sum + entrySize(fields ?? []), 0);
    this.#entryBytes.set(key, Math.max(1, bytes / entries.length));
  }
}

/** Nothing can be added any more where the piece stands: a stream that went back in time may still grow there. */
function isSettled({ upTo, state }: Chunk): boolean {
  return state !== null && compareEntryIds(upTo, state.lastId) <= 0;
}
