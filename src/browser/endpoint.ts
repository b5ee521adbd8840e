import type { Transport } from "./link.js";

/** What to follow: every event of the tenant, its orders, or what a user should be told of. */
export type Channel = "all" | "orders" | "notifications";

const PATHS: Readonly<Record<Transport, Partial<Record<Channel, string>>>> = {
  ws: { all: "/ws", orders: "/ws/orders" },
  sse: { all: "/stream", orders: "/stream/orders", notifications: "/stream/notifications" },
};

/** The transports a channel is served over, the preferred one first. */
export function transportsOf(channel: Channel): readonly Transport[] {
  return (["ws", "sse"] as const).filter((transport) => PATHS[transport][channel] !== undefined);
}

/**
 * The gateway's base as an absolute http(s) URL without query and fragment.
 *
 * @throws TypeError when it is not a URL, or of another scheme
 */
export function gatewayUrl(url: string | URL): URL {
  const gateway = new URL(url, globalThis.location?.href);
  gateway.search = "";
  gateway.hash = "";
  if (!/^https?:$/.test(gateway.protocol)) throw new TypeError(`url must be http or https, not ${gateway.protocol}`);
  return gateway;
}

/**
 * The address of one attempt. `types` undefined leaves the channel's own choice, an empty list asks for everything.
 */
export function endpointUrl(
  gateway: URL,
  transport: Transport,
  channel: Channel,
  types: readonly string[] | undefined,
  lastEventId: string | undefined,
): string {
  const endpoint = new URL(gateway);
  if (transport === "ws") endpoint.protocol = gateway.protocol.replace("http", "ws");
  endpoint.pathname = gateway.pathname.replace(/\/+$/, "") + PATHS[transport][channel];

  const query: string[] = [];
  if (types !== undefined) query.push(`types=${types.length > 0 ? types.map(encodeURIComponent).join(",") : "*"}`);
  if (lastEventId !== undefined) query.push(`last_event_id=${encodeURIComponent(lastEventId)}`);
  endpoint.search = query.join("&");
  return endpoint.href;
}
