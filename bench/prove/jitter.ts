import { setTimeout as delay } from "node:timers/promises";
import type { Scenario } from "./support/scenario.ts";

const LASTS_MS = { full: 20_000, quick: 6_000 };

export const jitter: Scenario = {
  name: "jitter",
  what: "clients are cut at random moments, in the middle of whatever they are sent, and resume by any transport",
  setting: {
    clients: { steady: 20, restless: 120 },
    quick: { steady: 10, restless: 60 },
  },
  run: ({ quick }) => delay(quick ? LASTS_MS.quick : LASTS_MS.full),
};
