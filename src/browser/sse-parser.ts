/** One event of a `text/event-stream`. */
export interface SseMessage {
  /** The `event` field, `message` without one. */
  type: string;
  /** The `data` lines, joined by LF. */
  data: string;
  /** The last `id` of the stream so far, empty without one. */
  lastEventId: string;
  /** Whether this very event carried the `id`, rather than one before it. */
  hasOwnId: boolean;
}

/**
 * Parses a `text/event-stream` from chunks of bytes cut anywhere (HTML Standard, 9.2.6 "Interpreting an event
 * stream"). `retry` is ignored: when to come back is the connection's decision. An event the stream ends in the middle
 * of is never given out, as the standard asks.
 */
export class SseParser {
  readonly #onMessage: (message: SseMessage) => void;
  // Strips one leading byte order mark, and keeps characters cut between two chunks.
  readonly #decoder = new TextDecoder();
  #line = "";
  #afterCarriageReturn = false;
  #type = "";
  #data = "";
  #lastEventId = "";
  #hasOwnId = false;

  constructor(onMessage: (message: SseMessage) => void) {
    this.#onMessage = onMessage;
  }

  push(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return;

    // A CR ends its line at once; a LF right behind it, even in the next chunk, belongs to it.
    let start = this.#afterCarriageReturn && text.startsWith("\n") ? 1 : 0;
    this.#afterCarriageReturn = text.endsWith("\r");

    const lineEnd = /\r\n?|\n/g;
    lineEnd.lastIndex = start;
    for (let match = lineEnd.exec(text); match !== null; match = lineEnd.exec(text)) {
      const line = this.#line + text.slice(start, match.index);
      this.#line = "";
      start = lineEnd.lastIndex;
      if (line === "") this.#dispatch();
      else this.#takeField(line);
    }
    this.#line += text.slice(start);
  }

  #takeField(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);

    if (name === "event") this.#type = value;
    else if (name === "data") this.#data += `${value}\n`;
    else if (name === "id" && !value.includes("\0")) {
      this.#lastEventId = value;
      this.#hasOwnId = true;
    }
  }

  #dispatch(): void {
    const message: SseMessage = {
      type: this.#type || "message",
      data: this.#data.slice(0, -1),
      lastEventId: this.#lastEventId,
      hasOwnId: this.#hasOwnId,
    };
    const isEmpty = this.#data === "";
    this.#type = "";
    this.#data = "";
    this.#hasOwnId = false;
    if (!isEmpty) this.#onMessage(message);
  }
}
