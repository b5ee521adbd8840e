import { HeldBytes } from "./held-bytes.ts";

export interface EventHandler {
  /** One whole event, without the blank line after it. The bytes are only there during the call. */
  message(bytes: Buffer, start: number, end: number): void;
  /** The response ended. */
  closed(): void;
}

const LINE_END = 0x0a;
const BLANK_LINE = Buffer.from("\n\n");

/**
 * Reads the events of a chunked response (RFC 9112 section 7.1; WHATWG HTML section 9.2) where they stand, from pieces cut
 * anywhere; only an event that is cut is copied. Lines end with LF alone, as every server that is measured ends them.
 */
export class SseEvents {
  readonly #handler: EventHandler;
  /** Where the next byte stands in the chunked coding. */
  #part: "size" | "extension" | "data" | "data end" | "end" = "size";
  #chunkBytes = 0;
  /** The start of an event that is cut, kept for the next one. */
  readonly #cut = new HeldBytes();

  constructor(handler: EventHandler) {
    this.#handler = handler;
  }

  /** @throws Error when the bytes do not keep to the protocol */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#part === "data") {
        const next = Math.min(end, at + this.#chunkBytes);
        this.#chunkBytes -= next - at;
        this.#split(bytes, at, next);
        if (this.#chunkBytes === 0) this.#part = "data end";
        at = next;
      } else {
        this.#readFraming(bytes[at]!);
        at++;
      }
    }
  }

  #readFraming(byte: number): void {
    switch (this.#part) {
      case "size":
        if (byte === LINE_END) this.#startChunk();
        else if (byte === 0x3b || byte === 0x0d) this.#part = "extension";
        else this.#chunkBytes = this.#chunkBytes * 16 + hexValue(byte);
        return;
      case "extension":
        if (byte === LINE_END) this.#startChunk();
        return;
      case "data end":
        if (byte === LINE_END) this.#part = "size";
        return;
      default:
        return;
    }
  }

  #startChunk(): void {
    this.#part = this.#chunkBytes === 0 ? "end" : "data";
    if (this.#part === "end") this.#handler.closed();
  }

  #split(bytes: Buffer, start: number, end: number): void {
    let at = this.#cut.length === 0 ? start : this.#completeCut(bytes, start, end);
    while (at < end) {
      const blank = blankLine(bytes, at, end);
      if (blank < 0) {
        this.#cut.add(bytes, at, end);
        return;
      }
      this.#handler.message(bytes, at, blank);
      at = blank + BLANK_LINE.length;
    }
  }

  /** @returns where the event ends that was cut, blank line included, or `end` when it goes on. */
  #completeCut(bytes: Buffer, start: number, end: number): number {
    if (this.#cut.bytes[this.#cut.length - 1] === LINE_END && bytes[start] === LINE_END) {
      this.#emitCut(this.#cut.length - 1);
      return start + 1;
    }
    const blank = blankLine(bytes, start, end);
    this.#cut.add(bytes, start, blank < 0 ? end : blank);
    if (blank < 0) return end;
    this.#emitCut(this.#cut.length);
    return blank + BLANK_LINE.length;
  }

  #emitCut(length: number): void {
    this.#cut.length = 0;
    this.#handler.message(this.#cut.bytes, 0, length);
  }
}

/** Where the next blank line begins, its first LF included; -1: not before `end`. */
function blankLine(bytes: Buffer, start: number, end: number): number {
  const at = bytes.indexOf(BLANK_LINE, start);
  return at < 0 || at + BLANK_LINE.length > end ? -1 : at;
}

function hexValue(byte: number): number {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  if (Number.isNaN(value)) throw new Error("the size of a chunk is not a number");
  return value;
}
