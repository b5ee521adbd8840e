import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { Test } from "tap";
import { Inbox } from "./inbox.ts";
import { send } from "./request.ts";

export interface SseEvent {
  readonly event: string;
  /** undefined when the block has no `id` line. */
  readonly id: string | undefined;
  readonly data: string;
}

export interface SseOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `Last-Event-ID`. */
  readonly lastEventId?: string;
}

export interface SseClient {
  readonly headers: IncomingHttpHeaders;
  readonly inbox: Inbox<SseEvent>;
  /** The body so far, as it came. */
  raw(): string;
  /** Milliseconds of the `retry` line. */
  retryMs(): number | undefined;
  next(accepts?: (event: SseEvent) => boolean, waitMs?: number): Promise<SseEvent>;
  /** Stops and goes on reading from the socket. */
  pause(): void;
  resume(): void;
  /** Settles with "ended" when the server ended the response, "cut" when the connection broke. */
  readonly closed: Promise<"ended" | "cut">;
  close(): void;
}

const ANSWER_WITHIN_MS = 20_000;

/** @throws Error when the answer is not an event stream, with status and body in its message. */
export async function openSse(t: Test, url: string, options: SseOptions = {}): Promise<SseClient> {
  const { token, lastEventId } = options;
  const aborter = new AbortController();
  t.teardown(() => aborter.abort());
  const timer = setTimeout(() => aborter.abort(), ANSWER_WITHIN_MS);
  const response = await send(
    url,
    {
      ...(token !== undefined && { token }),
      headers: {
        accept: "text/event-stream",
        ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
        ...options.headers,
      },
    },
    aborter.signal,
  ).finally(() => clearTimeout(timer));
  if (response.statusCode !== 200) throw new Error(`refused with ${response.statusCode}: ${await text(response)}`);
  return follow(response, () => aborter.abort());
}

function follow(response: IncomingMessage, close: () => void): SseClient {
  const inbox = new Inbox<SseEvent>();
  const parser = new StrictParser((event) => inbox.push(event));
  response.setEncoding("utf8").on("data", (chunk: string) => {
    try {
      parser.feed(chunk);
    } catch (error) {
      inbox.end(String(error));
      close();
    }
  });
  const closed = new Promise<"ended" | "cut">((resolve) => {
    response.on("end", () => resolve("ended"));
    response.on("error", () => resolve("cut"));
    response.on("close", () => resolve("cut"));
  });
  void closed.then((how) => inbox.end(`the event stream ${how === "cut" ? "was cut" : "ended"}`));
  return {
    headers: response.headers,
    inbox,
    raw: () => parser.raw,
    retryMs: () => parser.retryMs,
    next: (accepts, waitMs) => inbox.next(accepts, waitMs),
    pause: () => response.pause(),
    resume: () => response.resume(),
    closed,
    close,
  };
}

/**
 * An event stream (WHATWG HTML, section 9.2.6) read more strictly than a browser does: lines end with LF alone, only
 * the fields of the protocol occur, each at most once in a block, and every event has a name and a data line.
 */
class StrictParser {
  raw = "";
  retryMs: number | undefined;
  #rest = "";
  readonly #onEvent: (event: SseEvent) => void;

  constructor(onEvent: (event: SseEvent) => void) {
    this.#onEvent = onEvent;
  }

  feed(chunk: string): void {
    this.raw += chunk;
    const blocks = (this.#rest + chunk).split("\n\n");
    this.#rest = blocks.pop()!;
    for (const block of blocks) this.#readBlock(block);
  }

  #readBlock(block: string): void {
    // An empty comment, which the gateway uses to push out what is unsent.
    if (block === ":") return;
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      const [, name, value] = /^(event|id|data|retry): ([^\r]*)$/s.exec(line) ?? [];
      if (name === undefined || fields.has(name))
        throw new Error(`not a line of the protocol: ${JSON.stringify(block)}`);
      fields.set(name, value!);
    }
    const [event, data, retry] = [fields.get("event"), fields.get("data"), fields.get("retry")];
    if (retry !== undefined) this.retryMs = Number(retry);
    if (retry !== undefined && fields.size === 1) return;
    if (event === undefined || data === undefined) throw new Error(`no event: ${JSON.stringify(block)}`);
    this.#onEvent({ event, id: fields.get("id"), data });
  }
}
