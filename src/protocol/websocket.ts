import type { RefusalCode } from "./errors.js";
import { packMessage, unpackMessage } from "./msgpack.js";

/** Subprotocols (RFC 6455 section 1.9) a client can choose from. */
export const JSON_PROTOCOL = "ragline.json.v1";
export const MSGPACK_PROTOCOL = "ragline.msgpack.v1";
/** A token may be offered as one more subprotocol with this prefix, because browsers cannot send headers. */
export const BEARER_PROTOCOL_PREFIX = "ragline.bearer.";

export type WireFormat = "json" | "msgpack";

/** Largest message a client may send, bytes. */
export const MAX_CLIENT_MESSAGE_BYTES = 16 * 1024;

export interface TransportStatistics {
  total_connections: number;
  connections_by_tenant: Record<string, number>;
  connections_by_user: Record<string, number>;
  healthy_connections: number;
  stale_connections_cleaned: number;
}

export interface GatewayStatistics {
  websocket_stats: TransportStatistics;
  sse_stats: TransportStatistics;
  timestamp: string;
}

export interface Gap {
  /** The topic that misses events. */
  readonly stream: string;
  readonly reason: "trimmed" | "reset" | "limit" | "invalid";
  readonly from?: string;
  readonly to?: string;
}

/** Everything the server says but events, which frame.ts builds. */
export type ServerMessage =
  | {
      type: "connected";
      id: string;
      data: {
        client_id: string;
        tenant_id: string;
        user_id: string;
        timestamp: string;
        subscriptions: readonly string[];
      };
      stream?: string;
    }
  | { type: "subscription_updated"; subscriptions: readonly string[]; timestamp: string }
  | { type: "pong"; timestamp: string }
  | { type: "ping"; id: string; timestamp: string }
  | { type: "heartbeat"; id: string; stream: string; timestamp: string }
  | { type: "stats"; data: GatewayStatistics; timestamp: string }
  | ({ type: "gap" } & Gap)
  | { type: "refreshed"; expires_at: number }
  | { type: "reconnect"; reason: string; retry_ms: number }
  | { type: "error"; code: RefusalCode; message: string };

export type ClientMessage =
  | { type: "subscribe"; subscriptions: unknown }
  | { type: "ping" }
  | { type: "get_stats" }
  | { type: "refresh"; token: unknown };

/** Text for JSON, which goes out as a text frame; bytes for MessagePack, which go out as a binary one. */
export function encodeServerMessage(message: ServerMessage, format: WireFormat): string | Uint8Array {
  return format === "json" ? JSON.stringify(message) : packMessage(message);
}

/** The `id` of a message of ours; null when it has none. */
export function cursorOfMessage(bytes: Uint8Array, format: WireFormat): string | null {
  const message = (format === "json" ? parseJson(bytes) : parseMsgpack(bytes)) as { id?: unknown } | undefined;
  return typeof message?.id === "string" ? message.id : null;
}

/** @returns the text of a `bad_request` when the message is not one of ours. */
export function parseClientMessage(bytes: Uint8Array, format: WireFormat): ClientMessage | { problem: string } {
  const message = format === "json" ? parseJson(bytes) : parseMsgpack(bytes);
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    return { problem: format === "json" ? "Invalid JSON message" : "Invalid MessagePack message" };
  }
  const { type, subscriptions, token } = message as Record<string, unknown>;
  switch (type) {
    case "subscribe":
      return { type, subscriptions };
    case "refresh":
      return { type, token };
    case "ping":
    case "get_stats":
      return { type };
    default:
      return { problem: `Unknown message type: ${describeType(type)}` };
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const LONGEST_ECHO = 64;

/** A client's own word comes back to it, but never without bound: what it nests is not followed. */
function describeType(type: unknown): string {
  return (typeof type === "object" && type !== null ? typeof type : String(type)).slice(0, LONGEST_ECHO);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

function parseMsgpack(bytes: Uint8Array): unknown {
  try {
    return unpackMessage(bytes);
  } catch {
    return undefined;
  }
}
