import type { EntryId } from "../../protocol/entry-id.js";

/** Frames of a stretch of one stream. */
export interface Block {
  readonly frames: Uint8Array;
  /** Where each frame ends. */
  readonly ends: readonly number[];
  /** Where a connection stands that got them. */
  readonly upTo: EntryId;
}

/** What a block counts besides its frames. */
const BLOCK_OVERHEAD = 1024;
/** What the end of a frame counts. */
const END_BYTES = 8;

/**
 * Blocks sent lately: when a crowd returns, most stand at the same position, and each block is made for the first of
 * them. Those nobody asked for the longest go first.
 */
export class SharedBlocks {
  readonly #maxBytes: number;
  readonly #blocks = new Map<string, Block>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @param key tells everything the frames depend on: tenant, channel, format, filter, position, stream and size. */
  get(key: string): Block | undefined {
    const block = this.#blocks.get(key);
    if (block === undefined) return undefined;
    this.#remove(key, block);
    this.#put(key, block);
    return block;
  }

  /** @param block good only for the call. */
  add(key: string, block: Block): void {
    if (sizeOf(key, block) > this.#maxBytes) return;
    const known = this.#blocks.get(key);
    if (known !== undefined) this.#remove(key, known);
    this.#put(key, { ...block, frames: Uint8Array.from(block.frames), ends: [...block.ends] });
    for (const [oldest, old] of this.#blocks) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#remove(oldest, old);
    }
  }

  #put(key: string, block: Block): void {
    this.#blocks.set(key, block);
    this.#bytes += sizeOf(key, block);
  }

  #remove(key: string, block: Block): void {
    this.#blocks.delete(key);
    this.#bytes -= sizeOf(key, block);
  }
}

function sizeOf(key: string, { frames, ends }: Block): number {
  return frames.length + ends.length * END_BYTES + key.length + BLOCK_OVERHEAD;
}
