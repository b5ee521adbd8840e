import { randomBytes } from "node:crypto";
import { createConnection, type Socket } from "node:net";
import { SseEvents } from "../../support/sse-events.ts";
import { pongFrame, WebSocketFrames } from "../../support/websocket-frames.ts";
import { type Heard, readSse, readWebSocket } from "./messages.ts";

export type Transport = "sse" | "json" | "msgpack";

export interface ConnectionOptions {
  readonly port: number;
  readonly transport: Transport;
  readonly path: string;
  readonly token: string;
  readonly cursor: string | undefined;
  /** Hand the cursor back as `last_event_id`, not as a header. */
  readonly cursorInQuery: boolean;
  /** Reads little at a time; undefined: as much as there is. */
  readonly dribble: Dribble | undefined;
}

export interface Dribble {
  /** Bytes read at a time. */
  readonly bytes: number;
  /** Milliseconds until the next read; 0: at once. Asked before each. */
  readonly pauseMs: () => number;
}

export interface ConnectionHandler {
  heard(what: Heard): void;
  /** Nothing more comes. @param refusal the HTTP status, where there was one other than success */
  over(why: string, refusal: number | null): void;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const LARGEST_HEAD = 16 * 1024;
/** All sockets that read at full speed read into this: each read is dealt with before the next. */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** One connection of a client, over a raw socket. */
export class Connection {
  readonly #handler: ConnectionHandler;
  readonly #transport: Transport;
  readonly #socket: Socket;
  readonly #stream: WebSocketFrames | SseEvents;
  #dribble: Dribble | undefined;
  #head: Buffer | null = Buffer.alloc(0);
  #isOver = false;
  #why = "";

  constructor(options: ConnectionOptions, handler: ConnectionHandler) {
    const { port, transport, dribble } = options;
    this.#handler = handler;
    this.#transport = transport;
    this.#dribble = dribble;
    this.#stream = transport === "sse" ? new SseEvents(this) : new WebSocketFrames(this);
    this.#socket = createConnection({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: {
        buffer: dribble === undefined ? SHARED_BUFFER : Buffer.allocUnsafeSlow(dribble.bytes),
        callback: (length, bytes) => this.#receive(bytes as Buffer, length),
      },
    });
    this.#socket.on("connect", () => this.#socket.write(requestOf(options)));
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("the connection was closed"));
  }

  /** Without a word. Nothing more is heard. */
  cut(): void {
    this.#isOver = true;
    // A reset leaves no port behind that waits for a minute.
    this.#socket.resetAndDestroy();
  }

  /** From now on as fast as can be. */
  hurry(): void {
    this.#dribble = undefined;
    this.#socket.resume();
  }

  message(bytes: Buffer, start: number, end: number): void {
    if (this.#isOver) return;
    const transport = this.#transport;
    const what = transport === "sse" ? readSse(bytes, start, end) : readWebSocket(bytes, start, end, transport);
    if (what.kind === "error") this.#why = what.code;
    this.#handler.heard(what);
  }

  ping(bytes: Buffer, start: number, end: number): void {
    this.#socket.write(pongFrame(bytes.subarray(start, end)));
  }

  closed(): void {
    this.#end("the server ended the stream");
  }

  /** @returns whether to read on. */
  #receive(bytes: Buffer, length: number): boolean {
    try {
      if (this.#head !== null) this.#receiveHead(bytes.subarray(0, length));
      else this.#stream.push(bytes, 0, length);
    } catch (error) {
      this.#end((error as Error).message);
    }
    const pauseMs = this.#dribble?.pauseMs() ?? 0;
    if (pauseMs === 0) return true;
    setTimeout(() => this.#socket.resume(), pauseMs);
    return false;
  }

  #receiveHead(bytes: Buffer): void {
    const head = Buffer.concat([this.#head!, bytes]);
    const end = head.indexOf(HEAD_END);
    if (end < 0) {
      if (head.length > LARGEST_HEAD) throw new Error("the head of the response has no end");
      this.#head = head;
      return;
    }
    this.#head = null;
    const status = Number(head.toString("latin1", 9, 12));
    if (status === (this.#transport === "sse" ? 200 : 101)) {
      this.#stream.push(head, end + HEAD_END.length, head.length);
      return;
    }
    this.#end(head.toString("latin1").replace(/\s+/g, " ").slice(0, 400), status);
  }

  #end(why: string, refusal: number | null = null): void {
    if (this.#isOver) return;
    this.cut();
    this.#handler.over(this.#why || why, refusal);
  }
}

const SUBPROTOCOL = { json: "", msgpack: "Sec-WebSocket-Protocol: ragline.msgpack.v1\r\n" };

function requestOf({ path, transport, token, cursor, cursorInQuery }: ConnectionOptions): string {
  const query = cursor !== undefined && cursorInQuery ? `?last_event_id=${cursor}` : "";
  const header = cursor !== undefined && !cursorInQuery ? `Last-Event-ID: ${cursor}\r\n` : "";
  const common = `GET ${path}${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${header}`;
  if (transport === "sse") return `${common}Accept: text/event-stream\r\n\r\n`;
  const key = randomBytes(16).toString("base64");
  const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  return `${common}${upgrade}${SUBPROTOCOL[transport]}Sec-WebSocket-Key: ${key}\r\n\r\n`;
}
