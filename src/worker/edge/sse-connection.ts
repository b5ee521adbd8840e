import type { HttpResponse } from "uWebSockets.js";
import type { Channel } from "../../protocol/channel.js";
import { REFUSALS } from "../../protocol/errors.js";
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
  /** Called once, however the connection ends. */
  readonly onClose: (connection: SseConnection) => void;
  readonly onSlow: (connection: SseConnection) => void;
}

/** One response that stays open (WHATWG HTML, section 9.2). */
export class SseConnection implements TrackedConnection {
  readonly transport = "sse";
  readonly format = "sse";
  readonly tenant: string;
  readonly user: string;
  readonly channel: Channel;
  readonly expiresAt: number;
  filter: TypeFilter;
  isClosed = false;
  readonly #options: SseConnectionOptions;
  /** Bytes written since the kernel last took everything: uWebSockets.js keeps them without any bound of its own. */
  #unsent = 0;
  #waiting: (() => void)[] = [];

  constructor(options: SseConnectionOptions) {
    const { identity, channel, filter, response } = options;
    this.tenant = identity.tenant;
    this.user = identity.user;
    this.expiresAt = identity.expiresAt;
    this.channel = channel;
    this.filter = filter;
    this.#options = options;
    response.onAborted(() => this.#closed());
    response.onWritable(() => {
      this.#unsent = 0;
      this.#wake();
      return true;
    });
  }

  get isHealthy(): boolean {
    return this.#unsent === 0;
  }

  send(frame: Uint8Array | string): void {
    if (this.isClosed) return;
    const { response, maxBufferedBytes, onSlow } = this.#options;
    if (this.#unsent > maxBufferedBytes) {
      onSlow(this);
      return;
    }
    response.cork(() => {
      if (!response.write(frame) || this.#unsent > 0) this.#unsent += frame.length;
    });
  }

  get hasRoom(): boolean {
    return this.#unsent === 0;
  }

  greet(cursor: string): void {
    const { tenant, user, channel } = this;
    const stream = channel.label === undefined ? {} : { stream: channel.label };
    const data = { tenant_id: tenant, user_id: user, timestamp: new Date().toISOString(), ...stream };
    this.send(sseEvent("connected", data, cursor));
  }

  sendGap(gap: Gap): void {
    this.send(sseEvent("gap", gap));
  }

  writable(): Promise<void> {
    if (this.hasRoom || this.isClosed) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(code: EndCode, message: string = REFUSALS[code].message): void {
    this.#finish(sseEvent("error", { code, message }));
  }

  sendAway(retryMs: number): void {
    this.#finish(sseEvent("reconnect", { reason: "going_away", retry_ms: retryMs }));
  }

  #finish(lastWords: string): void {
    if (this.isClosed) return;
    const { response } = this.#options;
    this.#closed();
    response.cork(() => {
      response.write(lastWords);
      response.end(undefined, true);
    });
  }

  #closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#wake();
    this.#options.onClose(this);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
