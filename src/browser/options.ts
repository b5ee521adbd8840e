import type { BackoffLimits } from "./backoff.js";
import type { LocalReason, Refusal } from "./end-reason.js";
import type { Channel } from "./endpoint.js";
import type { Gap, GatewayError, GatewayEvent, Transport } from "./link.js";
import type { WebSocketConstructor } from "./websocket-transport.js";

export interface ConnectOptions {
  /** Base of the gateway, http or https, with its path prefix if it has one. Relative to the page in a browser. */
  url: string | URL;
  /**
   * The token, or a function that gives one, asked before every attempt. A function lets the connection outlive a
   * token: after a refusal it is asked until it gives another one. With a plain string such a refusal is final.
   */
  token: string | (() => string | Promise<string>);
  /** What to follow: `all` (default), `orders` or `notifications`. There is no WebSocket for `notifications`. */
  channel?: Channel;
  /** `auto` (default): WebSocket, and SSE once two WebSockets in a row did not get through. */
  transport?: "auto" | Transport;
  /** Only these event types; a trailing `*` matches a prefix; `[]` is every type. Default: what the channel gives. */
  types?: readonly string[];
  /** Go on after this id, for example of a former connection. Default: from now on. */
  lastEventId?: string;
  onEvent(event: GatewayEvent): void;
  /** Events are missing for good. Usually the time to load the present state anew. */
  onGap?(gap: Gap): void;
  onState?(change: StateChange): void;
  /** An `error` message of the gateway. When it ends the connection, `onState` says so too. */
  onError?(error: GatewayError): void;
  /** Waits between attempts; default 1 s, doubled up to 30 s, each with full jitter. */
  backoff?: Partial<BackoffLimits>;
  /** Longest wait for the gateway's first message, in milliseconds; default 15 000. */
  connectTimeoutMs?: number;
  /** Longest silence of an open connection, in milliseconds; default two heartbeats of the channel and 5 s. */
  idleTimeoutMs?: number;
  /** Default: the global one. Node 20 has none: pass that of the `ws` package there, or use SSE. */
  WebSocket?: WebSocketConstructor;
  /** Default: the global one. */
  fetch?: typeof fetch;
}

/** `waiting`: not connected, will try again. `closed`: for good. */
export type ConnectionState = "connecting" | "open" | "waiting" | "closed";

/**
 * Why the state is what it is: a code of the gateway, or
 * `network` (cut, or out of reach), `timeout` (silent for too long), `bad_response` (not a gateway's answer),
 * `offline` (no network), `token_unavailable` (the token function failed), `dropped` (by `dropConnection`),
 * `closed` (by `close`).
 */
export type StateReason = Refusal | LocalReason | "offline" | "token_unavailable" | "dropped" | "closed";

export interface StateChange {
  state: ConnectionState;
  /** The transport in use, or the next to be tried. */
  transport: Transport;
  /** With `waiting` and `closed`. */
  reason?: StateReason;
  /** Until the next attempt, in milliseconds; absent when waiting for the network to come back. */
  retryInMs?: number;
}

export interface Connection {
  readonly state: ConnectionState;
  readonly transport: Transport;
  /** Where a new connection could go on from. */
  readonly lastEventId: string | undefined;
  /**
   * Replaces the event types. Over SSE this reconnects and goes on from the last id; so it may also bring events since
   * then that are of the new types only.
   */
  subscribe(types: readonly string[]): void;
  /** Cuts the connection now, and goes on from the last id after `awayMs` milliseconds (default: at once). */
  dropConnection(awayMs?: number): void;
  /** Ends it for good. */
  close(): void;
}
