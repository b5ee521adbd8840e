import type { Test } from "tap";
import { connectRedis, type RedisClient, whenReady } from "../../src/redis/connect.ts";
import { startTestRedis } from "../support/redis.ts";

export interface OpenRedis {
  readonly client: RedisClient;
  /** One more connection to the same server. */
  connect(options?: { readonly blocking: boolean }): RedisClient;
}

/** A Redis of the test's own, and a connection that is ready. */
export async function openRedis(t: Test): Promise<OpenRedis> {
  const { url } = await startTestRedis(t);
  const connect: OpenRedis["connect"] = (options = { blocking: false }) => {
    const client = connectRedis({ mode: "standalone", urls: [url] }, { name: "test", onError: () => {}, ...options });
    t.teardown(() => client.disconnect());
    return client;
  };
  const client = connect();
  await whenReady(client);
  return { client, connect };
}
