import { setTimeout as delay } from "node:timers/promises";
import type { Scenario } from "./support/scenario.ts";

/** About 20 and 5 MB for each client: more than the buffers of the kernel and the gateway hold. */
const LASTS_MS = { full: 16_000, quick: 8_000 };
const BURST = 25;
const BURST_EVERY_MS = 1_000;

export const slowClients: Scenario = {
  name: "slow-clients",
  what: "clients read little at a time and now and then nothing, on SSE and WebSocket: they stay and get everything; those who stop for too long are cut, and resume",
  setting: {
    tenants: 2,
    perSecond: 60,
    padBytes: 20_000,
    settings: { RAGLINE_MAX_BUFFERED_BYTES: "65536", RAGLINE_STALL_SECONDS: "4" },
    clients: { steady: 6, restless: 4, slow: 16, stalling: 8 },
    quick: { slow: 8, stalling: 4 },
    mayBeCut: ["stalling"],
  },
  async run({ quick, publisher }) {
    const until = performance.now() + (quick ? LASTS_MS.quick : LASTS_MS.full);
    while (performance.now() < until) {
      await publisher.burst(BURST);
      await delay(BURST_EVERY_MS);
    }
  },
};
