import type { Test } from "tap";
import type { PrivateRedis } from "../../src/cli/private-redis.ts";
import { loadPublisherSettings, type PublisherSettings } from "../../src/config.ts";
import { type GatewayEvent, parseEntry } from "../../src/protocol/event.ts";
import { partitionOf } from "../../src/protocol/partition.ts";
import { partitionStream } from "../../src/protocol/stream.ts";
import { checkItem } from "../../src/publisher/item.ts";
import { connectRedis, type RedisClient, whenReady } from "../../src/redis/connect.ts";
import { readRange } from "../../src/redis/streams.ts";

export function publisherSettings({ url }: PrivateRedis, changes: NodeJS.ProcessEnv = {}): PublisherSettings {
  return loadPublisherSettings({ REDIS_URL: url, ...changes });
}

/** A client as the gateway has one, connected, and closed with the test. */
export async function connectTest(t: Test, settings: PublisherSettings): Promise<RedisClient> {
  const client = connectRedis(settings.redis, { name: "test", onError: () => {} });
  t.teardown(() => client.disconnect());
  await whenReady(client);
  return client;
}

/** An event of `tenant` that has passed the rules. */
export function eventOf(tenant: string, changes: object = {}) {
  const item = { topic: "orders", event_type: "order_created", payload: 1, tenant_id: tenant, ...changes };
  return checkItem(item, 0, { topics: ["orders", "notifications", "system"], ownTenant: null, anyTenant: true });
}

export function streamKeyOf(settings: PublisherSettings, tenant: string, topic = "orders"): string {
  const layout = { prefix: settings.streamPrefix, topics: settings.topics, partitions: settings.partitions };
  return partitionStream(layout, topic, partitionOf(tenant, settings.partitions)).key;
}

/** What the gateway would deliver from a stream, oldest first. */
export async function eventsIn(client: RedisClient, key: string): Promise<GatewayEvent[]> {
  const entries = await readRange(client, key, "0-0", "+", 1_000_000);
  return entries.map(({ id, fields }) => {
    const event = parseEntry("orders", id, fields!);
    if (typeof event === "string") throw new Error(`a dead letter: ${event}`);
    return event;
  });
}
