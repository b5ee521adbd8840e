import { setTimeout as delay } from "node:timers/promises";
import { NOTICED_WITHIN_MS, READY_AGAIN_WITHIN_MS } from "./support/bounds.ts";
import type { Scenario } from "./support/scenario.ts";

const LASTS_MS = 15_000;

export const redisHalfOpen: Scenario = {
  name: "half-open",
  what: "the connections to Redis carry nothing any more and nobody says so, new ones would: the gateway finds out by itself, nobody is cut, nothing is missing",
  setting: { network: true },
  async run({ network, gateway, publisher, crowd }) {
    network!.freeze();
    await delay(LASTS_MS);
    await gateway.untilReady(READY_AGAIN_WITHIN_MS);
    await publisher.pause();
    await crowd.settle(publisher.last(), "steady", NOTICED_WITHIN_MS);
    publisher.resume();
  },
};
