import type { RedisClient } from "./connect.js";
import { aliveKey, GROUP_PREFIX, SEEN_KEY } from "./keys.js";

/** Seconds the key that says a gateway is alive outlives its last sign of life. */
const ALIVE_SECONDS = 30;
/** Seconds after its last sign of life after which a gateway's consumer group may be removed. */
export const VANISHED_AFTER_SECONDS = 3_600;
/** Seconds after which a gateway of which no group is left is forgotten. */
const FORGOTTEN_AFTER_SECONDS = 86_400;

/** The gateway of this group is alive: noted by Redis' own clock, which all gateways share. */
export async function signOfLife(client: RedisClient, group: string): Promise<void> {
  await client.set(aliveKey(group), "1", "EX", ALIVE_SECONDS);
  await client.zadd(SEEN_KEY, await redisSeconds(client), group);
}

/** The gateway has taken its groups away. */
export async function forgetGateway(client: RedisClient, group: string): Promise<void> {
  await client.del(aliveKey(group));
  await client.zrem(SEEN_KEY, group);
}

/**
 * Which of these groups belong to gateways that gave their last sign of life more than an hour ago. Of a gateway never
 * heard of, as after Redis lost its data, the hour begins now.
 */
export async function vanishedGateways(client: RedisClient, groups: readonly string[]): Promise<string[]> {
  const now = await redisSeconds(client);
  const vanished: string[] = [];
  for (const group of groups) {
    if ((await client.exists(aliveKey(group))) > 0) continue;
    const seen = await client.zscore(SEEN_KEY, group);
    if (seen === null) await client.zadd(SEEN_KEY, "NX", now, group);
    else if (now - Number(seen) > VANISHED_AFTER_SECONDS) vanished.push(group);
  }
  await client.zremrangebyscore(SEEN_KEY, "-inf", now - FORGOTTEN_AFTER_SECONDS);
  return vanished;
}

/** The groups of gateways that read this stream. */
export async function gatewayGroups(client: RedisClient, key: string): Promise<string[]> {
  const groups = await client.xinfo("GROUPS", key).catch((error: Error) => {
    if (error.message.includes("no such key")) return [];
    throw error;
  });
  return (groups as unknown[][])
    .map((fields) => String(fields[fields.indexOf("name") + 1]))
    .filter((name) => name.startsWith(GROUP_PREFIX));
}

async function redisSeconds(client: RedisClient): Promise<number> {
  const [seconds] = await client.time();
  return Number(seconds);
}
