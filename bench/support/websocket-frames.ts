import { HeldBytes } from "./held-bytes.ts";

export interface FrameHandler {
  /** One whole text or binary message. The bytes are only there during the call. */
  message(bytes: Buffer, start: number, end: number): void;
  ping(bytes: Buffer, start: number, end: number): void;
  closed(): void;
}

const OPCODE = { text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;

/**
 * Reads the frames of a server (RFC 6455 section 5.2) where they stand, from pieces cut anywhere; only a frame that is cut
 * is copied. Fragmented messages are refused: no server that is measured sends any.
 */
export class WebSocketFrames {
  readonly #handler: FrameHandler;
  /** The start of a frame that is cut, kept for the next one. */
  readonly #cut = new HeldBytes();

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** @throws Error when the bytes do not keep to the protocol */
  push(bytes: Buffer, start: number, end: number): void {
    let at = this.#cut.length === 0 ? start : this.#completeCut(bytes, start, end);
    if (this.#cut.length > 0) return;
    for (let next = frameEnd(bytes, at, end); next <= end; next = frameEnd(bytes, at, end)) {
      this.#emit(bytes, at, next);
      at = next;
    }
    if (at < end) this.#cut.add(bytes, at, end);
  }

  /** @returns where the frame ends that was cut, or `end` when it goes on. */
  #completeCut(bytes: Buffer, start: number, end: number): number {
    let at = start;
    let needed = frameEnd(this.#cut.bytes, 0, this.#cut.length);
    while (at < end && this.#cut.length < needed) {
      // With its length unknown, a frame is given one byte at a time until it is known.
      const missing = needed === Number.POSITIVE_INFINITY ? 1 : needed - this.#cut.length;
      const taken = Math.min(missing, end - at);
      this.#cut.add(bytes, at, at + taken);
      at += taken;
      needed = frameEnd(this.#cut.bytes, 0, this.#cut.length);
    }
    if (this.#cut.length < needed) return end;
    this.#emit(this.#cut.bytes, 0, this.#cut.length);
    this.#cut.length = 0;
    return at;
  }

  #emit(bytes: Buffer, start: number, end: number): void {
    const first = bytes[start]!;
    const data = start + headerBytes(bytes[start + 1]!);
    switch (first) {
      case FINAL | OPCODE.text:
      case FINAL | OPCODE.binary:
        this.#handler.message(bytes, data, end);
        break;
      case FINAL | OPCODE.ping:
        this.#handler.ping(bytes, data, end);
        break;
      case FINAL | OPCODE.close:
        this.#handler.closed();
        break;
      case FINAL | OPCODE.pong:
        break;
      default:
        throw new Error(`a frame that starts with 0x${first.toString(16)} is not expected`);
    }
  }
}

const FINAL = 0x80;
const MASKED = 0x80;

function headerBytes(second: number): number {
  if (second >= MASKED) throw new Error("a server's frame is masked");
  return second === 127 ? 10 : second === 126 ? 4 : 2;
}

/** Where the frame at `at` ends; infinity when its header is not all there. */
function frameEnd(bytes: Buffer, at: number, end: number): number {
  if (end - at < 2) return Number.POSITIVE_INFINITY;
  const second = bytes[at + 1]!;
  const header = headerBytes(second);
  if (end - at < header) return Number.POSITIVE_INFINITY;
  if (header === 2) return at + 2 + second;
  if (header === 4) return at + 4 + bytes.readUInt16BE(at + 2);
  return at + 10 + bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
}

/** A pong (RFC 6455 section 5.5.3), masked with zeros as a client may choose. */
export function pongFrame(ping: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([FINAL | OPCODE.pong, MASKED | ping.length, 0, 0, 0, 0]), ping]);
}
