import type { BatchSection } from "../../protocol/batch.js";
import { compareEntryIds, type EntryId, previousEntryId } from "../../protocol/entry-id.js";
import { entrySize, type RawEntry, type RawSection } from "../../protocol/event.js";
import type { StreamRef } from "../../protocol/stream.js";
import type { RedisClient } from "../../redis/connect.js";
import { readRange, readRangeEnd, type StreamState, streamState } from "../../redis/streams.js";
import { type Chunk, ChunkCache, reachesBackFrom, reachesOnFrom, sizeOf } from "./chunk.js";
import { FairQueue } from "./fair-queue.js";
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

interface Request extends Asker {
  readonly range: StreamRange;
  /** A piece at the start of the range, or at its end. */
  readonly end: "start" | "end";
  readonly resolve: (chunk: Chunk) => void;
  readonly reject: (error: unknown) => void;
}

/** Everyone who waits for pieces of one stream. */
interface Line {
  readonly open: Set<Request>;
  /** The same, and those who were answered meanwhile. */
  readonly turns: FairQueue<Request>;
  isReading: boolean;
}

/**
 * Older events, read from Redis piece by piece: of each stream one at a time, tenants in turn. A piece goes to everyone
 * who waits for any of it, and is kept for those who come next; who needs what stands before a kept piece reads up to it.
 * So all who are on the same stretch of a stream share nearly every read.
 */
export class RangeReader {
  readonly #options: RangeReaderOptions;
  readonly #slots = new Slots(READS);
  readonly #cache: ChunkCache;
  readonly #lines = new Map<string, Line>();
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

  /** A piece that holds the start of the range. */
  readStart(asker: Asker, range: StreamRange): Promise<Chunk> {
    return this.#request({ ...asker, range, end: "start" });
  }

  /** A piece that holds the end of the range. */
  readEnd(asker: Asker, range: StreamRange): Promise<Chunk> {
    return this.#request({ ...asker, range, end: "end" });
  }

  /** The stream starts anew: what was read of it, or is being read, is not for anyone who comes now. */
  forgetStream(key: string): void {
    this.#cache.forgetStream(key);
    this.#lines.delete(key);
    this.#states.delete(key);
  }

  #request(wanted: Omit<Request, "resolve" | "reject">): Promise<Chunk> {
    const { key } = wanted.range.stream;
    const known = this.#cache.find(key, (chunk) => serves(chunk, wanted));
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const request = { ...wanted, resolve, reject };
      const line = this.#lines.get(key) ?? { open: new Set(), turns: new FairQueue(), isReading: false };
      this.#lines.set(key, line);
      line.open.add(request);
      line.turns.add(request.tenant, request);
      void this.#readFor(key, line);
    });
  }

  /** Answers everyone in the line, one read after the other. */
  async #readFor(key: string, line: Line): Promise<void> {
    if (line.isReading) return;
    line.isReading = true;
    for (let request = nextOf(line); request !== undefined; request = nextOf(line)) {
      try {
        const chunk = await this.#slots.run(request.tenant, () => this.#read(request!, wantsMsgpack(line)));
        if (this.#lines.get(key) === line && isSettled(chunk)) this.#cache.add(key, chunk);
        answer(line, chunk);
      } catch (error) {
        refuse(line, error);
      }
    }
    line.isReading = false;
    if (this.#lines.get(key) === line) this.#lines.delete(key);
  }

  /** The range up to where a kept piece starts. */
  #upToKept(range: StreamRange): StreamRange {
    const to = this.#cache
      .starts(range.stream.key)
      .filter((start) => compareEntryIds(range.after, start) < 0)
      .reduce((nearest, start) => (compareEntryIds(start, nearest) < 0 ? start : nearest), range.to);
    return { ...range, to };
  }

  async #read({ range, end }: Request, msgpack: boolean): Promise<Chunk> {
    const { stream, after, to } = end === "start" ? this.#upToKept(range) : range;
    const { commands, encode } = this.#options;
    const count = this.#entriesOfChunk(stream.key);
    const entries = await (end === "start" ? readRange : readRangeEnd)(commands, stream.key, after, to, count);
    this.#learnSize(stream.key, entries);
    // Not before the entries: what the state does not show as removed was there when they were read.
    const [state, sections] = await Promise.all([
      streamState(commands, stream.key),
      encode([{ key: stream.key, topic: stream.topic, entries }], msgpack),
    ]);
    const records = sections.flatMap((section) => section.records);
    const isWhole = entries.length < count;
    return {
      after: end === "end" && !isWhole ? previousEntryId(entries[0]!.id) : after,
      upTo: end === "start" && !isWhole ? entries.at(-1)!.id : to,
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

function serves(chunk: Chunk, { range, end, msgpack }: Pick<Request, "range" | "end" | "msgpack">): boolean {
  if (msgpack && !chunk.msgpack) return false;
  return end === "start" ? reachesOnFrom(chunk, range.after) : reachesBackFrom(chunk, range.to);
}

function nextOf({ open, turns }: Line): Request | undefined {
  let request = turns.take();
  while (request !== undefined && !open.has(request)) request = turns.take();
  return request;
}

function wantsMsgpack({ open }: Line): boolean {
  for (const { msgpack } of open) if (msgpack) return true;
  return false;
}

function answer({ open }: Line, chunk: Chunk): void {
  for (const request of open) {
    if (!serves(chunk, request)) continue;
    open.delete(request);
    request.resolve(chunk);
  }
}

function refuse({ open }: Line, error: unknown): void {
  for (const { reject } of open) reject(error);
  open.clear();
}

/** Nothing can be added any more where the piece stands: a stream that went back in time may still grow there. */
function isSettled({ upTo, state }: Chunk): boolean {
  return state !== null && compareEntryIds(upTo, state.lastId) <= 0;
}
