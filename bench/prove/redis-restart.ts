import { setTimeout as delay } from "node:timers/promises";
import { NOTICED_WITHIN_MS, READY_AGAIN_WITHIN_MS } from "./support/bounds.ts";
import type { Scenario } from "./support/scenario.ts";

const AWAY_MS = { full: 5_000, quick: 1_500 };

function restart(name: string, what: string, signal: "SIGTERM" | "SIGKILL", redis: readonly string[]): Scenario {
  return {
    name,
    what,
    setting: { redis },
    async run({ quick, redis, gateway }) {
      await redis.end(signal);
      await gateway.untilNotReady(NOTICED_WITHIN_MS);
      await delay(quick ? AWAY_MS.quick : AWAY_MS.full);
      await redis.start();
      await gateway.untilReady(READY_AGAIN_WITHIN_MS);
    },
  };
}

export const redisRestart = restart(
  "redis-restart",
  "Redis is ended by SIGTERM and started again with its append-only file: nobody is cut, nothing is missing",
  "SIGTERM",
  ["--appendonly", "yes"],
);

export const redisKilled = restart(
  "redis-killed",
  "Redis is killed and started again with an append-only file written always: nobody is cut, nothing is missing",
  "SIGKILL",
  ["--appendonly", "yes", "--appendfsync", "always"],
);
