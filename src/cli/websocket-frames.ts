import { randomBytes } from "node:crypto";

export const OPCODE = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;

/** A whole message, or a control frame. */
export interface WebSocketMessage {
  readonly opcode: number;
  readonly data: Buffer;
}

/** Most bytes of a message: more than any event can have. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_CONTROL_BYTES = 125;

/** Reads the frames of a server (RFC 6455 section 5) from chunks cut anywhere, and puts fragments together. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);
  #fragments: Buffer[] = [];
  #fragmentBytes = 0;
  /** Of the message whose fragments are being read; 0: there is none. */
  #opcode = 0;

  /** @throws Error when the bytes do not keep to the protocol; nothing can be read after that */
  push(chunk: Buffer): WebSocketMessage[] {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const messages: WebSocketMessage[] = [];
    for (let frame = this.#nextFrame(); frame !== null; frame = this.#nextFrame()) {
      const message = this.#assemble(frame);
      if (message !== null) messages.push(message);
    }
    return messages;
  }

  #nextFrame(): { first: number; data: Buffer } | null {
    const bytes = this.#bytes;
    if (bytes.length < 2) return null;
    const short = bytes[1]!;
    if (short & 0x80) throw new Error("a server's frame is masked");
    const start = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < start) return null;
    const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
    if (length > MAX_MESSAGE_BYTES) throw new Error("a message is too large");
    if (bytes.length < start + length) return null;
    this.#bytes = bytes.subarray(start + length);
    return { first: bytes[0]!, data: bytes.subarray(start, start + length) };
  }

  #assemble({ first, data }: { first: number; data: Buffer }): WebSocketMessage | null {
    const isFinal = (first & 0x80) !== 0;
    const opcode = first & 0x0f;
    if (first & 0x70) throw new Error("a frame uses an extension that was not agreed on");
    if (opcode >= OPCODE.close) {
      if (!isFinal || data.length > MAX_CONTROL_BYTES) throw new Error("a control frame is fragmented or too long");
      return { opcode, data };
    }
    const isFirst = opcode !== OPCODE.continuation;
    if (isFirst === (this.#opcode !== 0)) throw new Error("a fragment does not belong to a message");
    if (isFirst) this.#opcode = opcode;
    this.#fragments.push(data);
    this.#fragmentBytes += data.length;
    if (this.#fragmentBytes > MAX_MESSAGE_BYTES) throw new Error("a message is too large");
    if (!isFinal) return null;
    const message = { opcode: this.#opcode, data: Buffer.concat(this.#fragments) };
    this.#fragments = [];
    this.#fragmentBytes = 0;
    this.#opcode = 0;
    return message;
  }
}

/** One frame of a client, of at most 125 bytes: a client has to mask what it sends (section 5.3). */
export function maskedFrame(opcode: number, data: Uint8Array): Buffer {
  const mask = randomBytes(4);
  const masked = data.map((byte, i) => byte ^ mask[i % 4]!);
  return Buffer.concat([Buffer.of(0x80 | opcode, 0x80 | data.length), mask, masked]);
}

export function closeFrame(code: number): Buffer {
  return maskedFrame(OPCODE.close, Buffer.of(code >> 8, code & 0xff));
}
