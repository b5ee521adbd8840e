import type { RedisClient } from "./connect.js";
import { EPOCHS_KEY } from "./keys.js";

/** How often each stream was seen deleted or rolled back; those that never were are not named. */
export async function readEpochs(client: RedisClient): Promise<Map<string, number>> {
  const epochs = await client.hgetall(EPOCHS_KEY);
  return new Map(Object.entries(epochs).map(([key, epoch]) => [key, Number(epoch)]));
}

/**
 * Counts up only if nobody has done so since the caller last looked: everyone who sees the same stream end arrives at the
 * same number. One that is lower than the caller's was lost with the stream itself, in a flush or a failover.
 */
const COUNT_RESET = `
local stored = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local known = tonumber(ARGV[2])
if stored > known then return stored end
redis.call('HSET', KEYS[1], ARGV[1], known + 1)
return known + 1`;

/**
 * To be called by whoever finds that a stream was deleted or went back in time, before anything of it is delivered again.
 * @param known the epoch the caller was in.
 * @returns the stream's epoch from now on, later than `known`.
 */
export async function countReset(client: RedisClient, streamKey: string, known: number): Promise<number> {
  return (await client.eval(COUNT_RESET, 1, EPOCHS_KEY, streamKey, known)) as number;
}
