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

/** Started once for all stages: that takes longer than some measurements, and each then meets them equally warm. */
let crew: { feeder: Feeder; generators: Generators } | undefined;

/** Sets a stage up, and clears it away whatever happens. */
export async function withStage<Measured extends Server, Result>(
  { start, feed }: StageOptions<Measured>,
  use: (stage: Stage<Measured>) => Promise<Result>,
): Promise<Result> {
  moveToClientCores();
  crew ??= { feeder: new Feeder(), generators: new Generators() };
  const redis = await startPrivateRedis();
  try {
    const servers = await start(redis);
    try {
      await crew.feeder.open(redis.port, feed);
      const result = await use({ redis, servers, ...crew });
      await crew.generators.closeConnections();
      return result;
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  } finally {
    await redis.stop();
  }
}
