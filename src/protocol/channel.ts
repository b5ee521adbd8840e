/** A public path that delivers events: what it reads and how it greets. */
export interface Channel {
  readonly name: string;
  readonly path: string;
  readonly transport: "sse" | "websocket";
  /** null: every topic of the gateway. */
  readonly topics: readonly string[] | null;
  /** Which event types of those topics pass. */
  readonly admits: (type: string) => boolean;
  readonly heartbeatSeconds: number;
  /** Named in `connected` and `heartbeat`, where the path is not the general one. */
  readonly label?: "orders" | "notifications";
  /** The `type` of a WebSocket message that carries an event. */
  readonly messageType?: "event" | "order_event";
  /** What a WebSocket connection is subscribed to until it says otherwise. Empty: everything. */
  readonly initialSubscriptions: readonly string[];
}

const NOTIFICATION_TYPES = new Set([
  "order_created",
  "order_completed",
  "order_failed",
  "payment_processed",
  "notification",
  "system_alert",
]);

const everyType = () => true;
const orderType = (type: string) => type.startsWith("order");

export const CHANNELS = {
  sse: {
    name: "sse",
    path: "/stream",
    transport: "sse",
    topics: null,
    admits: everyType,
    heartbeatSeconds: 30,
    initialSubscriptions: [],
  },
  sseOrders: {
    name: "sse-orders",
    path: "/stream/orders",
    transport: "sse",
    topics: ["orders"],
    admits: orderType,
    heartbeatSeconds: 45,
    label: "orders",
    initialSubscriptions: [],
  },
  sseNotifications: {
    name: "sse-notifications",
    path: "/stream/notifications",
    transport: "sse",
    topics: ["orders", "notifications", "system"],
    admits: (type) => NOTIFICATION_TYPES.has(type),
    heartbeatSeconds: 60,
    label: "notifications",
    initialSubscriptions: [],
  },
  ws: {
    name: "ws",
    path: "/ws",
    transport: "websocket",
    topics: null,
    admits: everyType,
    heartbeatSeconds: 30,
    messageType: "event",
    initialSubscriptions: [],
  },
  wsOrders: {
    name: "ws-orders",
    path: "/ws/orders",
    transport: "websocket",
    topics: ["orders"],
    admits: orderType,
    heartbeatSeconds: 45,
    label: "orders",
    messageType: "order_event",
    initialSubscriptions: ["order_created", "order_updated", "order_completed", "order_failed"],
  },
} as const satisfies Record<string, Channel>;

/** The topics of a channel that this gateway reads, in the gateway's order. */
export function channelTopics(channel: Channel, gatewayTopics: readonly string[]): readonly string[] {
  return channel.topics === null ? gatewayTopics : gatewayTopics.filter((topic) => channel.topics!.includes(topic));
}
