import type { Test } from "tap";
import type { Gateway } from "./gateway.ts";
import { Inbox } from "./inbox.ts";
import { openSse, type SseEvent } from "./sse-client.ts";
import { openWs, type WsMessage } from "./ws-client.ts";

export const SSE_ENDPOINTS = ["/stream", "/stream/orders", "/stream/notifications"] as const;
export const WS_ENDPOINTS = ["/ws", "/ws/orders"] as const;
export const ENDPOINTS = [...SSE_ENDPOINTS, ...WS_ENDPOINTS] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

/** What any connection delivers, whatever its transport. */
export interface Item {
  readonly kind: "connected" | "event" | "gap" | "heartbeat" | "control";
  readonly id: string | undefined;
  /** The event's own type; of anything else, what the transport calls it. */
  readonly type: string;
  /** The payload; of anything else, what the transport says about it. */
  readonly data: unknown;
}

export interface Follower {
  readonly endpoint: Endpoint;
  /** What `connected` says, and its id. */
  readonly connected: Item & { readonly id: string };
  /** Everything after `connected` but heartbeats. */
  readonly inbox: Inbox<Item>;
  next(waitMs?: number): Promise<Item>;
  take(count: number, waitMs?: number): Promise<Item[]>;
  /** The id to resume from. */
  position(): string;
  /** Cuts the TCP connection without a word. */
  cut(): void;
}

export interface FollowOptions {
  readonly token: string;
  readonly types?: readonly string[];
  readonly lastEventId?: string;
  /** Hand the cursor back in the query, as clients must that cannot set headers. */
  readonly cursorInQuery?: boolean;
  readonly protocols?: readonly string[];
}

/** Connects over a TCP connection of its own, and resolves after `connected`. */
export async function follow(t: Test, gateway: Gateway, endpoint: Endpoint, options: FollowOptions): Promise<Follower> {
  const { token, lastEventId, cursorInQuery = false, protocols = [] } = options;
  const url = new URL(gateway.url + endpoint);
  if (options.types) url.searchParams.set("types", options.types.join(","));
  if (lastEventId !== undefined && cursorInQuery) url.searchParams.set("last_event_id", lastEventId);
  const headers = lastEventId !== undefined && !cursorInQuery ? { "last-event-id": lastEventId } : {};

  if (endpoint.startsWith("/stream")) {
    const client = await openSse(t, url.href, { token, headers });
    return collect(endpoint, client.inbox, fromSse, client.close);
  }
  const client = await openWs(t, url.href, { token, headers, protocols });
  return collect(endpoint, client.inbox, fromWs, client.terminate);
}

async function collect<T>(
  endpoint: Endpoint,
  source: Inbox<T>,
  read: (item: T) => Item,
  cut: () => void,
): Promise<Follower> {
  const connected = read(await source.next());
  const { id } = connected;
  if (connected.kind !== "connected" || id === undefined) throw new Error(`no connected: ${JSON.stringify(connected)}`);
  const inbox = new Inbox<Item>();
  let position = id;
  void (async () => {
    try {
      while (true) {
        const item = read(await source.next(undefined, FOREVER_MS));
        position = item.id ?? position;
        if (item.kind !== "heartbeat") inbox.push(item);
      }
    } catch (error) {
      inbox.end((error as Error).message);
    }
  })();
  return {
    endpoint,
    connected: { ...connected, id },
    inbox,
    next: (waitMs) => inbox.next(undefined, waitMs),
    take: (count, waitMs) => inbox.take(count, undefined, waitMs),
    position: () => position,
    cut,
  };
}

const FOREVER_MS = 3_600_000;

const SSE_KINDS: Readonly<Record<string, Item["kind"]>> = {
  connected: "connected",
  heartbeat: "heartbeat",
  gap: "gap",
  reconnect: "control",
  error: "control",
};

function fromSse({ event, id, data }: SseEvent): Item {
  return { kind: SSE_KINDS[event] ?? "event", id, type: event, data: JSON.parse(data) };
}

const WS_KINDS: Readonly<Record<string, Item["kind"]>> = {
  connected: "connected",
  event: "event",
  order_event: "event",
  gap: "gap",
  ping: "heartbeat",
  heartbeat: "heartbeat",
};

function fromWs(message: WsMessage): Item {
  const { type, id, event_type, data } = message;
  const kind = WS_KINDS[type] ?? "control";
  if (kind === "event") return { kind, id, type: String(event_type), data };
  return { kind, id, type, data: kind === "connected" ? data : message };
}
