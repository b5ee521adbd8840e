import type { Test } from "tap";
import { type PrivateRedis, type PrivateRedisOptions, startPrivateRedis } from "../../src/cli/private-redis.ts";

export interface TestRedis extends PrivateRedis {
  /** As a crash would end it. For a restart, start another one with this one's `port`. */
  kill(): Promise<void>;
}

/** A Redis of the test's own, empty at first and stopped with the test. */
export async function startTestRedis(t: Test, options: PrivateRedisOptions = {}): Promise<TestRedis> {
  const redis = await startPrivateRedis(options);
  t.teardown(redis.stop);
  return { ...redis, kill: redis.stop };
}
