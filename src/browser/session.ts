import { AutoTransport } from "./auto-transport.js";
import { type BackoffLimits, backoffMs } from "./backoff.js";
import { isRefusal, nextStep } from "./end-reason.js";
import { type Channel, endpointUrl, gatewayUrl, transportsOf } from "./endpoint.js";
import type { Link, LinkEnd, LinkListener, Transport } from "./link.js";
import { type NetworkStatus, watchNetwork } from "./network-status.js";
import type { Connection, ConnectionState, ConnectOptions, StateChange, StateReason } from "./options.js";
import { RecentIds } from "./recent-ids.js";
import { openSse } from "./sse-transport.js";
import { Watchdog } from "./watchdog.js";
import { openWebSocket, type WebSocketConstructor } from "./websocket-transport.js";

const DEFAULT_BACKOFF: BackoffLimits = { baseMs: 1_000, maxMs: 30_000 };
const DEFAULT_CONNECT_TIMEOUT_MS = 15_000;
const HEARTBEAT_MS: Readonly<Record<Channel, number>> = { all: 30_000, orders: 45_000, notifications: 60_000 };
// A connection that lived this long was a good one: the next wait is a short one again.
const STABLE_MS = 5_000;
const REMEMBERED_IDS = 256;
const JWT_CHARACTERS = /^[\w.-]+$/;

/** Keeps one connection going: opens a link, follows it, and after its end decides when and how to open the next. */
export class Session implements Connection {
  readonly #options: ConnectOptions;
  readonly #gateway: URL;
  readonly #channel: Channel;
  readonly #webSocket: WebSocketConstructor | undefined;
  readonly #auto: AutoTransport;
  readonly #network: NetworkStatus;
  readonly #watchdog = new Watchdog(() => this.#onLinkEnd({ reason: "timeout" }));
  readonly #seen = new RecentIds(REMEMBERED_IDS);

  #current: Omit<StateChange, "transport"> = { state: "connecting" };
  #types: readonly string[] | undefined;
  #lastEventId: string | undefined;
  #link: Link | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  // Rises with every attempt; a token that comes for an earlier one is too late.
  #attempt = 0;
  #failedInARow = 0;
  #openedAt: number | undefined;
  #retryMs = 0;
  #token = "";
  #refused: { token: string; reason: StateReason } | undefined;

  constructor(options: ConnectOptions) {
    this.#options = options;
    this.#gateway = gatewayUrl(options.url);
    this.#channel = options.channel ?? "all";
    this.#webSocket = options.WebSocket ?? globalThis.WebSocket;
    this.#auto = new AutoTransport(this.#allowedTransports());
    this.#types = options.types;
    this.#lastEventId = options.lastEventId;
    this.#network = watchNetwork(this.#gateway.hostname, (online) => this.#onNetwork(online));
    // Not at once, so that the caller has the connection in hand before the first callback.
    queueMicrotask(() => this.#attempt === 0 && this.#open());
  }

  get state(): ConnectionState {
    return this.#current.state;
  }

  get transport(): Transport {
    return this.#auto.current;
  }

  get lastEventId(): string | undefined {
    return this.#lastEventId;
  }

  subscribe(types: readonly string[]): void {
    this.#types = types;
    if (this.state === "open" && this.#link?.subscribe) this.#link.subscribe(types);
    else if (this.state === "open" || this.state === "connecting") this.#reopen();
  }

  dropConnection(awayMs = 0): void {
    if (this.state === "closed") return;
    if (awayMs > 0) this.#wait("dropped", awayMs);
    else this.#reopen();
  }

  close(): void {
    if (this.state !== "closed") this.#stop("closed");
  }

  #allowedTransports(): [Transport, ...Transport[]] {
    const { transport = "auto" } = this.#options;
    const [first, ...others] = transportsOf(this.#channel)
      .filter((served) => transport === "auto" || transport === served)
      .filter((served) => served === "sse" || this.#webSocket !== undefined);
    if (first) return [first, ...others];
    if (this.#webSocket) throw new TypeError(`There is no WebSocket for the channel "${this.#channel}": use SSE`);
    throw new TypeError('No global WebSocket here (Node 20?): pass the option WebSocket, or transport: "sse"');
  }

  #reopen(): void {
    this.#cut();
    void this.#open();
  }

  async #open(): Promise<void> {
    if (!this.#network.isOnline()) return this.#waitForNetwork();
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#change({ state: "connecting" });

    const { token } = this.#options;
    try {
      const fresh = typeof token === "string" ? token : await token();
      if (attempt !== this.#attempt) return;
      this.#token = fresh;
    } catch {
      if (attempt === this.#attempt) this.#retry("token_unavailable");
      return;
    }
    // The gateway would only refuse it again.
    if (this.#token === this.#refused?.token) return this.#retry(this.#refused.reason);
    // Neither a header nor a subprotocol could carry it.
    if (!JWT_CHARACTERS.test(this.#token)) return this.#onLinkEnd({ reason: "token_invalid" });
    this.#follow();
  }

  #follow(): void {
    const { transport } = this;
    const url = endpointUrl(this.#gateway, transport, this.#channel, this.#types, this.#lastEventId);
    this.#watchdog.watch(this.#options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS);
    const request = { url, token: this.#token };
    this.#link =
      transport === "ws"
        ? openWebSocket({ ...request, WebSocket: this.#webSocket! }, this.#listener)
        : openSse({ ...request, fetch: this.#options.fetch ?? globalThis.fetch }, this.#listener);
  }

  readonly #listener: LinkListener = {
    onActivity: () => this.#watchdog.feed(),
    onConnected: () => {
      this.#openedAt = performance.now();
      this.#refused = undefined;
      this.#auto.reached();
      this.#watchdog.watch(this.#options.idleTimeoutMs ?? 2 * HEARTBEAT_MS[this.#channel] + 5_000);
      this.#change({ state: "open" });
    },
    onPosition: (id) => {
      this.#lastEventId = id;
    },
    onEvent: (event) => {
      if (!this.#seen.add(event.id)) return;
      this.#lastEventId = event.id;
      call(() => this.#options.onEvent(event));
    },
    onGap: (gap) => call(() => this.#options.onGap?.(gap)),
    onError: (error) => call(() => this.#options.onError?.(error)),
    onReconnect: (retryMs) => {
      if (retryMs > 0) this.#retryMs = retryMs;
    },
    onEnd: (end) => this.#onLinkEnd(end),
  };

  #onLinkEnd({ reason, retryAfterMs = 0 }: LinkEnd): void {
    if (this.#openedAt !== undefined || isRefusal(reason)) this.#auto.reached();
    else this.#auto.missed();

    const step = nextStep(reason);
    const isFinal = step === "stop" || (step === "new-token" && typeof this.#options.token === "string");
    if (step === "new-token") this.#refused = { token: this.#token, reason };
    if (isFinal) this.#stop(reason);
    else this.#retry(reason, retryAfterMs);
  }

  #retry(reason: StateReason, retryAfterMs = 0): void {
    if (this.#openedAt !== undefined && performance.now() - this.#openedAt >= STABLE_MS) this.#failedInARow = 0;
    const floorMs = Math.max(retryAfterMs, this.#retryMs);
    this.#wait(reason, backoffMs(this.#failedInARow, floorMs, { ...DEFAULT_BACKOFF, ...this.#options.backoff }));
    this.#failedInARow += 1;
  }

  #wait(reason: StateReason, retryInMs: number): void {
    this.#cut();
    this.#timer = setTimeout(() => void this.#open(), retryInMs);
    this.#change({ state: "waiting", reason, retryInMs });
  }

  #waitForNetwork(): void {
    this.#cut();
    this.#change({ state: "waiting", reason: "offline" });
  }

  #onNetwork(online: boolean): void {
    if (!online) this.#waitForNetwork();
    else if (this.#current.reason === "offline") this.#reopen();
  }

  #stop(reason: StateReason): void {
    this.#cut();
    this.#network.stop();
    this.#change({ state: "closed", reason });
  }

  /** Leaves nothing running: no link, no timer, no token on its way. */
  #cut(): void {
    this.#attempt += 1;
    this.#watchdog.stop();
    clearTimeout(this.#timer);
    this.#link?.close();
    this.#link = undefined;
    this.#openedAt = undefined;
    this.#retryMs = 0;
  }

  #change(change: Omit<StateChange, "transport">): void {
    this.#current = change;
    call(() => this.#options.onState?.({ ...change, transport: this.transport }));
  }
}

/** An exception of a callback is its own: it is reported like that of an event listener, and the connection lives on. */
function call(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
