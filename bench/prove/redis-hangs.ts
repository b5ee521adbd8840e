import { setTimeout as delay } from "node:timers/promises";
import { NOTICED_WITHIN_MS, READY_AGAIN_WITHIN_MS } from "./support/bounds.ts";
import type { Scenario } from "./support/scenario.ts";

const HANGS_MS = { full: 20_000, quick: 5_000 };

export const redisHangs: Scenario = {
  name: "redis-hangs",
  what: `Redis keeps its connections and answers nothing for ${HANGS_MS.full / 1e3} s: nobody is cut, nothing is missing`,
  async run({ quick, redis, gateway }) {
    redis.stopAnswering();
    try {
      if (quick) await delay(HANGS_MS.quick);
      else {
        const started = performance.now();
        await gateway.untilNotReady(NOTICED_WITHIN_MS);
        await delay(Math.max(0, HANGS_MS.full - (performance.now() - started)));
      }
    } finally {
      redis.answerAgain();
    }
    await gateway.untilReady(READY_AGAIN_WITHIN_MS);
  },
};
