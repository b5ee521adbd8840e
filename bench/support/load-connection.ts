import { randomBytes } from "node:crypto";
import { createConnection, type Socket } from "node:net";
import { nowMicros } from "./clock.ts";
import type { ConnectionPlan } from "./load-messages.ts";
import { SseEvents } from "./sse-events.ts";
import { StampReader } from "./stamp.ts";
import type { Tally } from "./tally.ts";
import { pongFrame, WebSocketFrames } from "./websocket-frames.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
const LARGEST_HEAD = 16 * 1024;
/** All sockets of the process read into this: each read is dealt with before the next. */
const SHARED_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);
const CURSOR = /"id":"([^"]*)"|^id: (.*)$/m;

const stamps = { sse: new StampReader(), websocket: new StampReader() };

/** One client over a raw socket, which checks that each event of its tenant comes once and in turn. */
export class LoadConnection {
  readonly tenant: number;
  /** Number of the next event of the tenant; -1: whatever comes first. */
  next: number;
  /** Of the greeting. */
  cursor = "";
  readonly #plan: ConnectionPlan;
  readonly #tally: Tally;
  readonly #socket: Socket;
  readonly #stamp: StampReader;
  readonly #stream: WebSocketFrames | SseEvents;
  #head: Buffer | null = Buffer.alloc(0);
  #state: "opening" | "open" | "over" = "opening";
  readonly #onOpen: (problem: string | null) => void;

  /** @param onOpen called once: null when the server has greeted, else why it has not. */
  constructor(plan: ConnectionPlan, tally: Tally, onOpen: (problem: string | null) => void) {
    this.tenant = plan.tenant;
    this.next = plan.next;
    this.#plan = plan;
    this.#tally = tally;
    this.#onOpen = onOpen;
    this.#stamp = stamps[plan.transport];
    this.#stream = plan.transport === "websocket" ? new WebSocketFrames(this) : new SseEvents(this);
    this.#socket = createConnection({
      host: "127.0.0.1",
      port: plan.port,
      noDelay: true,
      onread: { buffer: SHARED_BUFFER, callback: (length, bytes) => this.#receive(bytes as Buffer, length) },
    });
    this.#socket.on("connect", () => this.#socket.write(requestOf(plan)));
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("the server closed the connection"));
  }

  close(): void {
    this.#state = "over";
    // A reset leaves no port behind that waits for a minute.
    this.#socket.resetAndDestroy();
  }

  message(bytes: Buffer, start: number, end: number): void {
    if (!this.#stamp.read(bytes, start, end)) {
      this.#hear(bytes.toString("utf8", start, end));
      return;
    }
    const { tenant, number } = this.#stamp;
    const tally = this.#tally;
    tally.deliveries++;
    tally.bytes += end - start;
    if (tenant !== this.tenant) tally.foreign++;
    else if (number === this.next || this.next < 0) this.next = number + 1;
    else if (number > this.next) {
      tally.missing += number - this.next;
      this.next = number + 1;
    } else tally.repeated++;
    if (tally.samples.wants()) tally.samples.add(tally.receivedAt - this.#stamp.sentAt());
  }

  ping(bytes: Buffer, start: number, end: number): void {
    this.#socket.write(pongFrame(bytes.subarray(start, end)));
  }

  closed(): void {
    this.#end("the server ended the stream");
  }

  #receive(bytes: Buffer, length: number): boolean {
    this.#tally.receivedAt = nowMicros();
    this.#tally.reads++;
    try {
      if (this.#head !== null) this.#receiveHead(bytes.subarray(0, length));
      else this.#stream.push(bytes, 0, length);
    } catch (error) {
      this.#end((error as Error).message);
      this.#socket.destroy();
    }
    return true;
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
    const expected = this.#plan.transport === "websocket" ? "HTTP/1.1 101 " : "HTTP/1.1 200 ";
    const text = head.toString("latin1");
    if (!text.startsWith(expected)) throw new Error(text.replace(/\s+/g, " ").slice(0, 400));
    this.#stream.push(head, end + HEAD_END.length, head.length);
  }

  /** What is no event: a greeting or a heartbeat, or something that should not be. */
  #hear(text: string): void {
    if (/^(\{"type":"connected"|event: connected$)/m.test(text)) {
      const found = CURSOR.exec(text);
      this.cursor = found?.[1] ?? found?.[2] ?? "";
      this.#state = "open";
      this.#onOpen(null);
    } else if (!/^(\{"type":"(ping|heartbeat)"|event: heartbeat$|retry: )/m.test(text)) {
      this.#tally.complain(text.slice(0, 200));
    }
  }

  #end(problem: string): void {
    const state = this.#state;
    this.#state = "over";
    if (state === "opening") this.#onOpen(problem);
    else if (state === "open") this.#tally.complain(problem);
  }
}

function requestOf({ path, transport, token }: ConnectionPlan): string {
  const common = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`;
  if (transport === "sse") return `${common}Accept: text/event-stream\r\n\r\n`;
  const key = randomBytes(16).toString("base64");
  return `${common}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
}
