import type { EndReason } from "./end-reason.js";

/** What a transport tells the session and the other way round; WebSocket and SSE fulfil it alike. */

export type Transport = "ws" | "sse";

/** One event of the token's tenant. */
export interface GatewayEvent {
  /** The position after this event: opaque, at most 256 characters. Hand it back as `lastEventId` to go on from here. */
  id: string;
  /** The event's own type, for example `order_created`. */
  type: string;
  /** The payload. */
  data: unknown;
  /** The stream it came from, for example `orders`. WebSocket only. */
  topic?: string;
  /** ISO 8601. WebSocket only. */
  timestamp?: string;
  /** The id its producer gave it, if any. WebSocket only. */
  eventId?: string;
}

/** Some events of one stream cannot be given any more; delivery goes on with the earliest there is. */
export interface Gap {
  stream: string;
  /** `trimmed`, `reset`, `limit` or `invalid`. */
  reason: string;
  from?: string;
  to?: string;
}

/** An `error` message of the gateway. */
export interface GatewayError {
  code: string;
  message: string;
}

/** Why a link is over. */
export interface LinkEnd {
  reason: EndReason;
  /** The least wait the server asked for, in milliseconds. */
  retryAfterMs?: number;
}

/** One attempt at following the gateway, over one transport. */
export interface Link {
  /** Cuts it. The listener hears nothing after this, not even `onEnd`. */
  close(): void;
  /** Replaces the set of types on the running link. Only where the transport can. */
  subscribe?(types: readonly string[]): void;
}

/** Hears one link, in the order things arrive. */
export interface LinkListener {
  /** Something arrived, whatever it is. */
  onActivity(): void;
  onConnected(): void;
  /** The position moved without an event. */
  onPosition(id: string): void;
  onEvent(event: GatewayEvent): void;
  onGap(gap: Gap): void;
  onError(error: GatewayError): void;
  /** The server will end this link; come back after `retryMs` milliseconds. */
  onReconnect(retryMs: number): void;
  /** The last call, once. */
  onEnd(end: LinkEnd): void;
}
