import { setTimeout as delay } from "node:timers/promises";
import type { Scenario } from "./support/scenario.ts";

const TIMES = { full: 3, quick: 1 };
const BACK_WITHIN_MS = 3_000;
const CONNECTED_WITHIN_MS = 60_000;
/** Until the last of them have caught up. */
const AFTERWARDS_MS = 1_000;
const LONGEST_P99_MS = 250;

export const avalanche: Scenario = {
  name: "avalanche",
  what: `thousands of clients are cut at once and come back within ${BACK_WITHIN_MS / 1e3} s, each with its cursor; those who stay get events with a p99 latency below ${LONGEST_P99_MS} ms meanwhile`,
  setting: {
    tenants: 20,
    perSecond: 100,
    clients: { steady: 60, restless: 0, herd: 4_000 },
    quick: { herd: 1_000 },
  },
  async run({ quick, crowd, note }) {
    for (let time = 0; time < (quick ? TIMES.quick : TIMES.full); time++) {
      await crowd.sample();
      await crowd.stampede(BACK_WITHIN_MS);
      await crowd.allConnected(CONNECTED_WITHIN_MS);
      await delay(AFTERWARDS_MS);
      const { p50, p99, max } = await crowd.latencies();
      const ms = (value: number) => `${value.toFixed(1)} ms`;
      note(`latency of those who stayed: p50 ${ms(p50)}, p99 ${ms(p99)}, most ${ms(max)}`);
      if (!(p99 < LONGEST_P99_MS)) throw new Error(`p99 of those who stayed was ${ms(p99)}`);
    }
  },
};
