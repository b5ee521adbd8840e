import { reasonOfClose } from "./end-reason.js";
import type { Gap, GatewayEvent, Link, LinkListener } from "./link.js";

/** The part of a WebSocket that is used: the browser's, Node's (22 and later) and the `ws` package's all have it. */
export interface WebSocketLike {
  send(data: string): void;
  close(): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: "error", listener: () => void): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

export interface WebSocketRequest {
  url: string;
  token: string;
  WebSocket: WebSocketConstructor;
}

/** Follows the gateway over a WebSocket. The token goes as a subprotocol, so that no URL holds it. */
export function openWebSocket({ url, token, WebSocket }: WebSocketRequest, listener: LinkListener): Link {
  let isLive = true;
  let lastErrorCode: unknown;
  const socket = new WebSocket(url, ["ragline.json.v1", `ragline.bearer.${token}`]);

  socket.addEventListener("message", ({ data }) => {
    if (!isLive) return;
    listener.onActivity();
    const message = parseMessage(data);
    if (message) onMessage(message);
    else listener.onError({ code: "bad_message", message: "A message is not a JSON object" });
  });
  socket.addEventListener("close", ({ code, reason }) => {
    if (!isLive) return;
    isLive = false;
    listener.onEnd({ reason: reasonOfClose(code, [lastErrorCode, reason]) });
  });
  // A close always follows an error; the `ws` package throws when nobody listens to errors.
  socket.addEventListener("error", () => {});

  function onMessage(message: Record<string, unknown>) {
    switch (message.type) {
      case "connected":
      case "ping":
      case "heartbeat":
        if (typeof message.id === "string") listener.onPosition(message.id);
        if (message.type === "connected") listener.onConnected();
        return;
      case "event":
      case "order_event":
        return listener.onEvent(eventOf(message));
      case "gap":
        return listener.onGap(gapOf(message));
      case "reconnect":
        return listener.onReconnect(Number(message.retry_ms));
      case "error":
        lastErrorCode = message.code;
        return listener.onError({ code: String(message.code), message: String(message.message) });
    }
  }

  return {
    close() {
      isLive = false;
      socket.close();
    },
    subscribe(types) {
      socket.send(JSON.stringify({ type: "subscribe", subscriptions: types }));
    },
  };
}

function parseMessage(text: unknown): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(String(text));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function eventOf(message: Record<string, unknown>): GatewayEvent {
  const { id, event_type, data, topic, timestamp, event_id } = message;
  return {
    id: String(id),
    type: String(event_type),
    data,
    ...(typeof topic === "string" && { topic }),
    ...(typeof timestamp === "string" && { timestamp }),
    ...(typeof event_id === "string" && { eventId: event_id }),
  };
}

function gapOf({ type: _, ...gap }: Record<string, unknown>): Gap {
  return gap as unknown as Gap;
}
