import type { HttpResponse } from "uWebSockets.js";
import { randomUUID } from "node:crypto";
import type { Channel } from "../../protocol/channel.js";
import { REFUSALS, type RefusalCode } from "../../protocol/errors.js";
import type { TypeFilter } from "../../protocol/filter.js";
import type { Identity } from "../../protocol/identity.js";
import { sseEvent } from "../../protocol/sse.js";
import type { Gap } from "../../protocol/websocket.js";
import type { TrackedConnection } from "./connections.js";
import type { EndCode } from "./services.js";

export interface SseConnectionOptions {
  readonly response: HttpResponse;
  readonly identity: Identity;
  readonly channel: Channel;
  readonly filter: TypeFilter;
  readonly maxBufferedBytes: number;
  /** Called when the gateway ends the connection for one of these reasons. */
  readonly onEnd: (connection: SseConnection, code: RefusalCode) => void;
  /** Called once, however the connection ends. */
  readonly onClose: (connection: SseConnection) => void;
  /** Too much is unsent: the frame of this cursor was not sent, and nothing after it is to be. */
  readonly onBehind: (connection: SseConnection, cursor: string) => void;
  /** Not everything was taken at once. */
  readonly onBacklog: (connection: SseConnection) => void;
}

/** With a blank line, so that readers that split at blank lines find nothing before the next event. */
const EMPTY_COMMENT = ":\n\n";

/** What a connection that is catching up is given at once. */
const ROOM_BYTES = 64 * 1024;

/** One response that stays open (WHATWG HTML, section 9.2). */
export class SseConnection implements TrackedConnection {
  readonly transport = "sse";
  readonly format = "sse";
  readonly id = randomUUID();
  readonly tenant: string;
  readonly user: string;
  readonly channel: Channel;
  readonly expiresAt: number;
  readonly tokenId: string | undefined;
  filter: TypeFilter;
  isClosed = false;
  readonly #options: SseConnectionOptions;
  /** Changes whenever the client took something. */
  progress = 0;
  /** Bytes written since the kernel last took everything: uWebSockets.js keeps them without any bound of its own. */
  #unsent = 0;
  #waiting: (() => void)[] = [];

  constructor(options: SseConnectionOptions) {
    const { identity, channel, filter, response } = options;
    this.tenant = identity.tenant;
    this.user = identity.user;
    this.expiresAt = identity.expiresAt;
    this.tokenId = identity.tokenId;
    this.channel = channel;
    this.filter = filter;
    this.#options = options;
    response.onAborted(() => this.#closed());
    response.onWritable(() => {
      this.progress++;
      this.keepWaiting();
      return true;
    });
  }

  get isHealthy(): boolean {
    return this.#unsent === 0;
  }

  get hasBacklog(): boolean {
    return this.#unsent > 0;
  }

  send(frame: Uint8Array, cursor: string): void {
    if (this.isClosed) return;
    if (this.#unsent > this.#options.maxBufferedBytes) this.#options.onBehind(this, cursor);
    else this.#write(frame);
  }

  keepWaiting(): void {
    if (!this.isClosed) this.#push();
  }

  get room(): number {
    return this.#unsent === 0 ? ROOM_BYTES : 0;
  }

  sendFrames(frames: Uint8Array): void {
    if (!this.isClosed) this.#write(frames);
  }

  greet(cursor: string): void {
    const { tenant, user, channel } = this;
    const stream = channel.label === undefined ? {} : { stream: channel.label };
    const data = { tenant_id: tenant, user_id: user, timestamp: new Date().toISOString(), ...stream };
    this.#write(sseEvent("connected", data, cursor));
  }

  sendGap(gap: Gap): void {
    if (!this.isClosed) this.#write(sseEvent("gap", gap));
  }

  writable(): Promise<void> {
    if (this.isClosed || this.room > 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(code: EndCode, message: string = REFUSALS[code].message): void {
    if (!this.isClosed) this.#options.onEnd(this, code);
    this.#finish(sseEvent("error", { code, message }));
  }

  sendAway(retryMs: number): void {
    this.#finish(sseEvent("reconnect", { reason: "going_away", retry_ms: retryMs }));
  }

  cut(): void {
    if (this.isClosed) return;
    this.#options.onEnd(this, "slow_consumer");
    this.#options.response.close();
  }

  #finish(lastWords: string): void {
    if (this.isClosed) return;
    const { response } = this.#options;
    this.#closed();
    response.cork(() => {
      response.write(lastWords);
      response.end();
    });
  }

  #write(frame: Uint8Array | string): void {
    const { response, onBacklog } = this.#options;
    response.cork(() => {
      const taken = response.write(frame);
      if (taken && this.#unsent === 0) return;
      this.#unsent = taken ? 0 : this.#unsent + frame.length;
    });
    if (this.#unsent > 0) onBacklog(this);
  }

  /** With `onWritable` set, uWebSockets.js sends what is unsent only ahead of something new: a comment is the least. */
  #push(): void {
    this.#write(EMPTY_COMMENT);
    if (this.#unsent === 0) this.#wake();
  }

  #closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#wake();
    this.#options.onClose(this);
  }

  /** In a later turn, because this may be called in the midst of uWebSockets.js' own work on the socket. */
  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) setImmediate(resolve);
  }
}
