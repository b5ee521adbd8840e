import { setTimeout as delay } from "node:timers/promises";
import { NOTICED_WITHIN_MS, READY_AGAIN_WITHIN_MS } from "./support/bounds.ts";
import type { Scenario } from "./support/scenario.ts";
import { addUnread } from "./support/unread.ts";

const AWAY_MS = { full: 3_000, quick: 1_000 };

export const redisLost: Scenario = {
  name: "redis-lost",
  what: "Redis is killed with everything in it, some of which the gateway never read: a gap `reset` says so to each who misses something",
  setting: { gaps: ["reset"] },
  async run(scene) {
    const { quick, redis, gateway } = scene;
    await addUnread(scene, () => redis.end("SIGKILL"));
    await gateway.untilNotReady(NOTICED_WITHIN_MS);
    await delay(quick ? AWAY_MS.quick : AWAY_MS.full);
    await redis.start();
    await gateway.untilReady(READY_AGAIN_WITHIN_MS);
  },
};
