import { setTimeout as delay } from "node:timers/promises";
import type { Percentiles } from "../support/samples.ts";
import type { Scenario } from "./support/scenario.ts";

const TIMES = { full: 3, quick: 1 };
const BEFORE_MS = 1_000;
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
    await crowd.sample();
    await delay(BEFORE_MS);
    note(`latency of those who stay, before: ${line(await crowd.latencies())}`);
    for (let time = 0; time < (quick ? TIMES.quick : TIMES.full); time++) {
      await crowd.sample();
      await crowd.stampede(0, BACK_WITHIN_MS);
      await crowd.allConnected(CONNECTED_WITHIN_MS);
      await delay(AFTERWARDS_MS);
      const latencies = await crowd.latencies();
      note(`meanwhile: ${line(latencies)}`);
      if (!(latencies.p99 < LONGEST_P99_MS)) throw new Error(`the latency of those who stayed was ${line(latencies)}`);
    }
  },
};

function line({ p50, p99, max }: Percentiles): string {
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, most ${max.toFixed(1)} ms`;
}
