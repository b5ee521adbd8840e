import type { BatchRecord } from "../../protocol/batch.js";
import { compareEntryIds, type EntryId } from "../../protocol/entry-id.js";
import type { StreamState } from "../../redis/streams.js";
import { RECORD_OVERHEAD } from "./history.js";

/** A piece of a stream as it was read from Redis: everything of every tenant after `after`, up to and including `upTo`. */
export interface Chunk {
  readonly after: EntryId;
  readonly upTo: EntryId;
  readonly records: readonly BatchRecord[];
  /** Whether the records have their MessagePack form too. */
  readonly msgpack: boolean;
  /** The stream right after it was read: shows whether something was missing from it. null: it does not exist. */
  readonly state: StreamState | null;
  readonly bytes: number;
}

/** Whether what comes right after `id` can be read here. */
export function reachesOnFrom({ after, upTo }: Chunk, id: EntryId): boolean {
  return compareEntryIds(after, id) <= 0 && compareEntryIds(id, upTo) < 0;
}

/** Whether what comes right up to `id` can be read here. */
export function reachesBackFrom({ after, upTo }: Chunk, id: EntryId): boolean {
  return compareEntryIds(after, id) < 0 && compareEntryIds(id, upTo) <= 0;
}

export function sizeOf(records: readonly BatchRecord[]): number {
  return records.reduce(
    (sum, { jsonTail, msgpackTail }) => sum + jsonTail.length + msgpackTail.length + RECORD_OVERHEAD,
    CHUNK_OVERHEAD,
  );
}

/** Bytes a piece counts besides its events. More than it takes, so that not too many of them have to be looked through. */
const CHUNK_OVERHEAD = 8 * 1024;

/** Pieces read lately, for others who come for the same. Those nobody asked for the longest go first. */
export class ChunkCache {
  readonly #maxBytes: number;
  readonly #byStream = new Map<string, Set<Chunk>>();
  /** All of them, by when they were last asked for. */
  readonly #all = new Map<Chunk, string>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(streamKey: string, chunk: Chunk): void {
    if (chunk.bytes > this.#maxBytes) return;
    this.#bytes += chunk.bytes;
    this.#all.set(chunk, streamKey);
    const ofStream = this.#byStream.get(streamKey) ?? new Set();
    this.#byStream.set(streamKey, ofStream.add(chunk));
    for (const oldest of this.#all.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#remove(oldest);
    }
  }

  find(streamKey: string, accepts: (chunk: Chunk) => boolean): Chunk | undefined {
    for (const chunk of this.#byStream.get(streamKey) ?? []) {
      if (!accepts(chunk)) continue;
      this.#all.delete(chunk);
      this.#all.set(chunk, streamKey);
      return chunk;
    }
    return undefined;
  }

  /** Where pieces of the stream start. */
  starts(streamKey: string): EntryId[] {
    return [...(this.#byStream.get(streamKey) ?? [])].map(({ after }) => after);
  }

  forgetStream(streamKey: string): void {
    for (const chunk of this.#byStream.get(streamKey) ?? []) this.#remove(chunk);
  }

  #remove(chunk: Chunk): void {
    const streamKey = this.#all.get(chunk)!;
    this.#all.delete(chunk);
    this.#bytes -= chunk.bytes;
    const ofStream = this.#byStream.get(streamKey)!;
    ofStream.delete(chunk);
    if (ofStream.size === 0) this.#byStream.delete(streamKey);
  }
}
