import type { Peer } from "./control.js";
import type { EntryId } from "./entry-id.js";
import { packMessage, unpackMessage } from "./msgpack.js";
import type { Gap } from "./websocket.js";

/** What one worker tells another over their Unix domain socket. */
export type RelayMessage =
  /** First on every connection: who is speaking. */
  | ({ readonly kind: "hello" } & Peer)
  /** The answer to `hello`: from here on the speaker gets what it asks for, and what it sends is read. */
  | { readonly kind: "welcome" }
  /** The speaker has, or no longer has, subscribers of these tenants. */
  | { readonly kind: "interest"; readonly add: readonly InterestEntry[]; readonly remove: readonly string[] }
  /** Answer `passed` once everything read before you heard of my interest has been relayed. */
  | { readonly kind: "barrier"; readonly number: number }
  | { readonly kind: "passed"; readonly number: number; readonly positions: readonly StreamPositionEntry[] }
  /** How far the speaker's streams have been read, also where nothing was of interest. */
  | { readonly kind: "progress"; readonly positions: readonly StreamPositionEntry[] }
  /** Entries of a stream can be given to nobody any more. What the speaker sends next comes after them. */
  | { readonly kind: "missed"; readonly key: string; readonly gap: Gap }
  /** A stream was deleted or went back in time, and the speaker reads it from its start. */
  | { readonly kind: "reset"; readonly key: string; readonly epoch: number }
  /** The speaker's last word on these streams: another worker reads them next. */
  | { readonly kind: "handover"; readonly move: number; readonly positions: readonly StreamPositionEntry[] };

export type InterestEntry = readonly [tenant: string, msgpack: boolean];
/** Without an epoch: 0. */
export type StreamPositionEntry = readonly [key: string, id: EntryId, epoch?: number];

const LENGTH_BYTES = 4;
const MESSAGE = 0;
const BATCH = 1;

/** Frame: u32 length of what follows, big-endian; u8 kind; body. */
export function frameMessage(message: RelayMessage): Uint8Array {
  return frame(MESSAGE, packMessage(message));
}

/** @param batch as `encodeBatch` makes it. */
export function frameBatch(batch: Uint8Array): Uint8Array {
  return frame(BATCH, batch);
}

export interface RelayReceiver {
  message(message: RelayMessage): void;
  /** The bytes are the receiver's own. */
  batch(bytes: Uint8Array): void;
}

/** Puts frames together again from whatever pieces the socket hands over. */
export class RelayReader {
  readonly #receiver: RelayReceiver;
  #chunks: Uint8Array[] = [];
  #buffered = 0;

  constructor(receiver: RelayReceiver) {
    this.#receiver = receiver;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    for (let body = this.#nextBody(); body !== null; body = this.#nextBody()) {
      if (body[0] === BATCH) this.#receiver.batch(body.subarray(1));
      else this.#receiver.message(unpackMessage(body.subarray(1)) as RelayMessage);
    }
  }

  #nextBody(): Uint8Array | null {
    if (this.#buffered < LENGTH_BYTES) return null;
    const [head] = this.#chunks;
    const joined = head!.length >= LENGTH_BYTES ? head! : this.#join();
    const length = new DataView(joined.buffer, joined.byteOffset).getUint32(0);
    if (this.#buffered < LENGTH_BYTES + length) return null;
    const bytes = this.#join();
    const end = LENGTH_BYTES + length;
    this.#chunks = bytes.length > end ? [bytes.subarray(end)] : [];
    this.#buffered -= end;
    return bytes.subarray(LENGTH_BYTES, end);
  }

  #join(): Uint8Array {
    if (this.#chunks.length === 1) return this.#chunks[0]!;
    const joined = new Uint8Array(this.#buffered);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [joined];
    return joined;
  }
}

function frame(kind: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + 1 + body.length);
  new DataView(bytes.buffer).setUint32(0, 1 + body.length);
  bytes[LENGTH_BYTES] = kind;
  bytes.set(body, LENGTH_BYTES + 1);
  return bytes;
}
