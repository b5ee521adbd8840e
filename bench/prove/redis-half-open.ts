import { setTimeout as delay } from "node:timers/promises";
import { NOTICED_WITHIN_MS, READY_AGAIN_WITHIN_MS } from "./support/bounds.ts";
import type { Scenario } from "./support/scenario.ts";

const LASTS_MS = { full: 15_000, quick: 5_000 };

export const redisHalfOpen: Scenario = {
  name: "half-open",
  what: "the connections to Redis carry nothing any more, and nobody says so: the gateway finds out by itself and opens others, nobody is cut, nothing is missing",
  setting: { network: true },
  async run({ quick, network, gateway, publisher, crowd }) {
    network!.freeze();
    if (quick) await delay(LASTS_MS.quick);
    else await Promise.all([delay(LASTS_MS.full), gateway.untilNotReady(NOTICED_WITHIN_MS)]);
    network!.thaw();
    await publisher.pause();
    await crowd.settle(publisher.last(), "steady", READY_AGAIN_WITHIN_MS);
    publisher.resume();
    await gateway.untilReady(READY_AGAIN_WITHIN_MS);
  },
};
