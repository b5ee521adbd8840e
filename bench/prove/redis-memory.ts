import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../test/support/until.ts";
import { NOTICED_WITHIN_MS, READY_AGAIN_WITHIN_MS } from "./support/bounds.ts";
import type { Scenario, Scene } from "./support/scenario.ts";

const REFUSED_WITHIN_MS = 10_000;
const QUICK_FULL_MS = 3_000;

export const redisFull: Scenario = {
  name: "memory-full",
  what: "Redis takes nothing more for want of memory: POST /publish answers 503 `unavailable`, and delivery goes on when there is more",
  async run({ quick, redis, gateway, publisher }) {
    const before = publisher.refusals.length;
    await redis.commands.config("SET", "maxmemory-policy", "noeviction");
    await redis.commands.config("SET", "maxmemory", "1mb");
    const refused = await until("POST /publish to be refused", () => publisher.refusals[before], REFUSED_WITHIN_MS);
    if (refused.status !== 503 || refused.code !== "unavailable" || !refused.hasRetryAfter) {
      throw new Error(`POST /publish was answered with ${JSON.stringify(refused)}`);
    }
    if (quick) await delay(QUICK_FULL_MS);
    else await gateway.untilNotReady(NOTICED_WITHIN_MS);
    await redis.commands.config("SET", "maxmemory", "0");
    await gateway.untilReady(READY_AGAIN_WITHIN_MS);
  },
};

const ROOM_BYTES = 512 * 1024;
const EVICTED = { full: 60, quick: 20 };
const EVICTED_WITHIN_MS = 40_000;
const BURST = 10;

export const redisEvicts: Scenario = {
  name: "eviction",
  what: "Redis makes room by evicting whole streams, again and again: a gap `reset` says what is missing",
  setting: { gaps: ["reset"], padBytes: 1_000 },
  async run(scene) {
    const { quick, redis, publisher, note } = scene;
    const used = Number(/used_memory:(\d+)/.exec(await redis.commands.info("memory"))![1]);
    await redis.commands.config("SET", "maxmemory-policy", "allkeys-lru");
    await redis.commands.config("SET", "maxmemory", String(used + ROOM_BYTES));
    const wanted = quick ? EVICTED.quick : EVICTED.full;
    const evicted = await until(
      "keys to be evicted",
      async () => {
        await publisher.burst(BURST);
        const count = await evictedKeys(scene);
        return count >= wanted && count;
      },
      EVICTED_WITHIN_MS,
    );
    note(`${evicted} keys were evicted`);
    await redis.commands.config("SET", "maxmemory", "0");
  },
};

async function evictedKeys({ redis }: Scene): Promise<number> {
  return Number(/evicted_keys:(\d+)/.exec(await redis.commands.info("stats"))![1]);
}
