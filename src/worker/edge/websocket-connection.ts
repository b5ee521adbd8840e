import type { WebSocket } from "uWebSockets.js";
import { randomUUID } from "node:crypto";
import type { Channel } from "../../protocol/channel.js";
import { closeCodeOf, REFUSALS, type RefusalCode } from "../../protocol/errors.js";
import { makeFilter, type TypeFilter } from "../../protocol/filter.js";
import type { Identity } from "../../protocol/identity.js";
import { encodeServerMessage, type Gap, type ServerMessage, type WireFormat } from "../../protocol/websocket.js";
import type { TrackedConnection } from "./connections.js";
import type { EndCode } from "./services.js";
import { TokenBucket } from "./token-bucket.js";

export interface WebSocketConnectionOptions {
  readonly socket: WebSocket<unknown>;
  readonly identity: Identity;
  readonly channel: Channel;
  readonly format: WireFormat;
  readonly subscriptions: readonly string[];
  readonly messageRate: number;
  /** Called when the gateway ends the connection for one of these reasons. */
  readonly onEnd: (connection: WebSocketConnection, code: RefusalCode) => void;
  /** Too much is unsent: the frame of this cursor was not sent, and nothing after it is to be. */
  readonly onBehind: (connection: WebSocketConnection, cursor: string) => void;
  /** Not everything was taken at once. */
  readonly onBacklog: (connection: WebSocketConnection) => void;
}

/** uWebSockets.js answers this when a message was dropped, because too much is unsent. */
const DROPPED = 2;

/**
 * Unsent bytes up to which a connection that is catching up is given more; not above any `RAGLINE_MAX_BUFFERED_BYTES`, at
 * which uWebSockets.js drops messages.
 */
const ROOM_BYTES = 16 * 1024;

/** One WebSocket (RFC 6455), from its greeting to its close. */
export class WebSocketConnection implements TrackedConnection {
  readonly transport = "websocket";
  readonly id = randomUUID();
  readonly tenant: string;
  readonly user: string;
  readonly channel: Channel;
  readonly format: WireFormat;
  /** What the client asked for, as it asked. */
  subscriptions: readonly string[];
  filter: TypeFilter;
  roles: readonly string[];
  expiresAt: number;
  tokenId: string | undefined;
  readonly messages: TokenBucket;
  #socket: WebSocket<unknown> | null;
  readonly #onEnd: WebSocketConnectionOptions["onEnd"];
  readonly #onBehind: WebSocketConnectionOptions["onBehind"];
  readonly #onBacklog: WebSocketConnectionOptions["onBacklog"];
  #waiting: (() => void)[] = [];

  constructor({ socket, identity, channel, format, ...options }: WebSocketConnectionOptions) {
    this.#socket = socket;
    this.#onEnd = options.onEnd;
    this.#onBehind = options.onBehind;
    this.#onBacklog = options.onBacklog;
    this.tenant = identity.tenant;
    this.user = identity.user;
    this.roles = identity.roles;
    this.expiresAt = identity.expiresAt;
    this.tokenId = identity.tokenId;
    this.channel = channel;
    this.format = format;
    this.subscriptions = options.subscriptions;
    this.filter = makeFilter(options.subscriptions);
    this.messages = new TokenBucket(options.messageRate, performance.now());
  }

  /** From now on it goes by a new token of the same user. */
  showNewToken({ expiresAt, roles, tokenId }: Identity): void {
    this.expiresAt = expiresAt;
    this.roles = roles;
    this.tokenId = tokenId;
  }

  get isClosed(): boolean {
    return this.#socket === null;
  }

  get isHealthy(): boolean {
    return this.#socket?.getBufferedAmount() === 0;
  }

  get isBinary(): boolean {
    return this.format === "msgpack";
  }

  get room(): number {
    return Math.max(0, ROOM_BYTES - this.progress);
  }

  sendFrames(frames: Uint8Array, ends: readonly number[]): void {
    const socket = this.#socket;
    socket?.cork(() => {
      let start = 0;
      for (const end of ends) {
        socket.send(frames.subarray(start, end), this.isBinary);
        start = end;
      }
    });
    if (this.hasBacklog) this.#onBacklog(this);
  }

  closed(): void {
    this.#socket = null;
    this.drained();
  }

  /**
   * Wakes who waits in `writable`, but in a later turn: what is sent while uWebSockets.js is still in its own drain event
   * can stay in its buffer for good, because it then stops asking whether the socket is writable.
   */
  drained(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) setImmediate(resolve);
  }

  enter(topic: string): void {
    this.#socket?.subscribe(topic);
  }

  exit(topic: string): void {
    this.#socket?.unsubscribe(topic);
  }

  get hasBacklog(): boolean {
    return this.#socket !== null && this.#socket.getBufferedAmount() > 0;
  }

  /** Changes whenever the client took something. */
  get progress(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  send(frame: Uint8Array, cursor: string): void {
    if (this.#socket?.send(frame, this.isBinary) === DROPPED) this.#onBehind(this, cursor);
  }

  /** uWebSockets.js keeps a socket with unsent bytes by itself. */
  keepWaiting(): void {}

  cut(): void {
    if (this.#socket === null) return;
    this.#onEnd(this, "slow_consumer");
    this.#socket.close();
  }

  say(message: ServerMessage): void {
    this.#socket?.send(encodeServerMessage(message, this.format), this.isBinary);
  }

  greet(cursor: string): void {
    const { label } = this.channel;
    this.say({
      type: "connected",
      id: cursor,
      data: {
        client_id: this.id,
        tenant_id: this.tenant,
        user_id: this.user,
        timestamp: new Date().toISOString(),
        subscriptions: this.subscriptions,
      },
      ...(label !== undefined && { stream: label }),
    });
  }

  sendGap(gap: Gap): void {
    this.say({ type: "gap", ...gap });
  }

  writable(): Promise<void> {
    if (this.isClosed || this.room > 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(code: EndCode | RefusalCode, message: string = REFUSALS[code].message): void {
    if (this.#socket === null) return;
    this.#onEnd(this, code);
    this.say({ type: "error", code, message });
    this.#socket?.end(closeCodeOf(code), message);
  }

  sendAway(retryMs: number): void {
    this.say({ type: "reconnect", reason: "going_away", retry_ms: retryMs });
    this.#socket?.end(REFUSALS.going_away.close, REFUSALS.going_away.message);
  }
}
