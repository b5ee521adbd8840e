import type { RedisClient } from "./connect.js";
import { limitsKey, publishRateKey } from "./keys.js";
import { Script } from "./script.js";

/** Fields of the hash that sets a tenant's limits while gateways run. */
export const LIMIT_FIELDS = ["max_connections", "max_connections_per_user", "publish_rate"] as const;

/** The values of `LIMIT_FIELDS`, null where there is none. */
export function readLimits(client: RedisClient, tenant: string): Promise<(string | null)[]> {
  return client.hmget(limitsKey(tenant), ...LIMIT_FIELDS);
}

/**
 * Generic cell rate algorithm (ITU-T I.371): the key holds when everything published so far is paid for. KEYS: that key.
 * ARGV: events per second, events. Answers 0, or how many microseconds to wait. With the clock of Redis, which all share.
 * A request is let through while less than a second is owed, however large it is; the next one waits for what it owes.
 */
const TAKE = new Script(`
redis.replicate_commands()
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local paid = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local wait = paid - now - 1000000 + 1
if wait > 0 then return wait end
paid = paid + ARGV[2] * 1000000 / ARGV[1]
redis.call('SET', KEYS[1], string.format('%.0f', paid), 'PX', string.format('%.0f', math.ceil((paid - now) / 1000) + 1000))
return 0`);

/**
 * Takes the events of one request from what the tenant may publish, over all gateways.
 * @returns milliseconds to wait; 0 when they were taken.
 */
export async function takePublishRate(
  client: RedisClient,
  tenant: string,
  events: number,
  ratePerSecond: number,
): Promise<number> {
  const micros = await TAKE.run(client, [publishRateKey(tenant)], [String(ratePerSecond), String(events)]);
  return Math.ceil(Number(micros) / 1000);
}
