import { signToken } from "../../../src/pool/sign-token.ts";
import { type StreamRef, tenantStreams } from "../../../src/protocol/stream.ts";
import { LAYOUT } from "../../support/layout.ts";
import { SECRET } from "../../support/token-signers.ts";
import type { Endpoint } from "./crowd-messages.ts";
import type { Random } from "./random.ts";

/** How events get into a stream. */
export type Way = "xadd" | "publish";

export interface ProofStream extends StreamRef {
  readonly eventType: string;
  readonly way: Way;
}

export interface Tenant {
  readonly number: number;
  readonly name: string;
  readonly readerToken: string;
  readonly publisherToken: string;
  /** The shared and the partitioned one of each topic. */
  readonly streams: readonly ProofStream[];
}

const EVENT_TYPES: Readonly<Record<string, string>> = {
  orders: "order_created",
  notifications: "notification",
  system: "system_alert",
};
const TOKEN_SECONDS = 3_600;

export function makeTenants(count: number, random: Random): Tenant[] {
  return Array.from({ length: count }, (_, number) => {
    const name = `tenant-${number}-${random.below(2 ** 31).toString(36)}`;
    const identity = { tenant: name, user: "prove", ttlSeconds: TOKEN_SECONDS };
    return {
      number,
      name,
      readerToken: signToken(SECRET, identity),
      publisherToken: signToken(SECRET, { ...identity, roles: ["publisher"] }),
      streams: tenantStreams(LAYOUT, LAYOUT.topics, name).map((stream) => ({
        ...stream,
        eventType: EVENT_TYPES[stream.topic]!,
        // Its requests come one after the other, but beside all XADDs: it needs a stream of its own to stay in order.
        way: stream.topic === "system" && stream.partition !== null ? "publish" : "xadd",
      })),
    };
  });
}

/** Endpoints that deliver the same streams, and which. */
export interface Audience {
  readonly endpoints: readonly Endpoint[];
  readonly topics: readonly string[];
}

export const AUDIENCES: { readonly everything: Audience; readonly orders: Audience } = {
  everything: {
    endpoints: [
      { transport: "sse", path: "/stream" },
      { transport: "json", path: "/ws" },
      { transport: "msgpack", path: "/ws" },
      { transport: "sse", path: "/stream/notifications" },
    ],
    topics: LAYOUT.topics,
  },
  orders: {
    endpoints: [
      { transport: "sse", path: "/stream/orders" },
      { transport: "json", path: "/ws/orders" },
      { transport: "msgpack", path: "/ws/orders" },
    ],
    topics: ["orders"],
  },
};
