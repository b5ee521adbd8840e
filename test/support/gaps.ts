import type { Test } from "tap";
import type { Follower, Item } from "./follow.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { connectToRedis, type Journey } from "./journey.ts";
import { startTestRedis } from "./redis.ts";
import { type Place, partitionKey, sharedKey } from "./xadd.ts";

/** A gateway with nothing in memory, so that what Redis still has is all there is. */
export async function startForgetful(t: Test, env: Readonly<Record<string, string>> = {}): Promise<Journey> {
  const server = await startTestRedis(t);
  const gateway = await startGateway(t, { redis: server, env: { RAGLINE_HISTORY_BYTES: "0", ...env } });
  return { server, redis: connectToRedis(t, server), gateway };
}

/** Another gateway for the same clients and the same Redis. */
export function startAnew(t: Test, { server, gateway }: Journey): Promise<Gateway> {
  return startGateway(t, { redis: server, secret: gateway.secret, env: { RAGLINE_HISTORY_BYTES: "0" } });
}

export function ordersKey({ key }: Place, tenant: string): string {
  return key === "shared" ? sharedKey("orders") : partitionKey("orders", tenant);
}

export const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

export interface GapAndEvents {
  /** What the gap says that comes first, or what came instead of it. */
  readonly gap: unknown;
  readonly events: readonly unknown[];
}

/** The gap that stands before everything of `orders`, and the payloads of the `count` items after it. */
export async function gapThenEvents({ inbox }: Follower, count: number): Promise<GapAndEvents> {
  const ofOrders = (item: Item) => item.kind === "event" || isGapOf(item, "orders");
  const first = await inbox.next(ofOrders);
  if (first.kind !== "gap") return { gap: `no gap but ${JSON.stringify(first)}`, events: [] };
  const items = await inbox.take(count, ofOrders);
  return { gap: first.data, events: items.map(({ data }) => data) };
}

export function isGapOf({ kind, data }: Item, stream: string): boolean {
  return kind === "gap" && (data as { stream: string }).stream === stream;
}
