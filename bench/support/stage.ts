import { type PrivateRedis, startPrivateRedis } from "../../src/cli/private-redis.ts";
import { moveToClientCores } from "./cores.ts";
import type { FeedPlan } from "./feed-messages.ts";
import { Feeder } from "./feeder.ts";
import { Generators } from "./generators.ts";
import type { Server } from "./server.ts";

/** Everything of one measurement, each in processes of its own. */
export interface Stage<Measured extends Server = Server> {
  readonly redis: PrivateRedis;
  readonly servers: readonly Measured[];
  readonly feeder: Feeder;
  readonly generators: Generators;
}

export interface StageOptions<Measured extends Server> {
  readonly start: (redis: PrivateRedis) => Promise<Measured[]>;
  readonly feed: FeedPlan;
}

/** Sets a stage up, and clears it away whatever happens. */
export async function withStage<Measured extends Server, Result>(
  { start, feed }: StageOptions<Measured>,
  use: (stage: Stage<Measured>) => Promise<Result>,
): Promise<Result> {
  moveToClientCores();
  const closing: (() => unknown)[] = [];
  try {
    const feeder = new Feeder();
    closing.unshift(() => feeder.stop());
    const generators = new Generators();
    closing.unshift(() => generators.stop());
    const redis = await startPrivateRedis();
    closing.push(() => redis.stop());
    const servers = await start(redis);
    closing.unshift(() => Promise.all(servers.map((server) => server.stop())));
    await feeder.open(redis.port, feed);
    return await use({ redis, servers, feeder, generators });
  } finally {
    for (const close of closing) await close();
  }
}
