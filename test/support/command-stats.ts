import type { RedisClient } from "../../src/redis/connect.ts";

/** How often a Redis was given a command since it started, such as `xrange` or `xinfo|stream`. */
export async function callsOf(redis: Pick<RedisClient, "info">, command: string): Promise<number> {
  const stats = (await redis.info("commandstats")) as string;
  const line = stats.split("\r\n").find((each) => each.startsWith(`cmdstat_${command}:`));
  return Number(/calls=(\d+)/.exec(line ?? "")?.[1] ?? 0);
}
