import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../test/support/until.ts";
import type { Scenario, Setting } from "./support/scenario.ts";

const WORKERS = 3;
const SETTING: Setting = { workers: WORKERS, mayBeCut: ["steady", "restless"] };
const LONGEST_PAUSE_MS = 1_500;
const KILLS = { full: 12, quick: 4 };
const REPLACED_WITHIN_MS = 60_000;
const QUICK_HANG_MS = 4_000;

export const workersKilled: Scenario = {
  name: "workers-killed",
  what: "workers are killed one after the other at random moments: their clients resume on others",
  setting: SETTING,
  async run({ quick, random, gateway }) {
    for (let kills = 0; kills < (quick ? KILLS.quick : KILLS.full); kills++) {
      await delay(random.between(0, LONGEST_PAUSE_MS));
      const workers = await until("a worker to kill", async () => {
        const pids = await gateway.workers();
        return pids.length > 0 && pids;
      });
      gateway.killWorker(random.pick(workers));
    }
    await until(
      "all workers to be there",
      async () => (await gateway.workers()).length === WORKERS,
      REPLACED_WITHIN_MS,
    );
  },
};

export const workerHangs: Scenario = {
  name: "worker-hangs",
  what: "a worker hangs until it is replaced (--quick: for some seconds, and goes on): its clients resume on others",
  setting: SETTING,
  async run({ quick, random, gateway }) {
    const hanging = random.pick(await gateway.workers());
    gateway.freezeWorker(hanging);
    if (quick) {
      await delay(QUICK_HANG_MS);
      gateway.thawWorker(hanging);
      return;
    }
    await until(
      "another worker in its place",
      async () => {
        const pids = await gateway.workers();
        return pids.length === WORKERS && !pids.includes(hanging);
      },
      REPLACED_WITHIN_MS,
    );
  },
};

export const rollingRestart: Scenario = {
  name: "rolling-restart",
  what: "SIGHUP replaces all workers one by one: their clients are sent away and resume on others",
  setting: { ...SETTING, settings: { RAGLINE_DRAIN_SECONDS: "2" } },
  async run({ gateway }) {
    const before = await gateway.workers();
    gateway.signal("SIGHUP");
    await until(
      "other workers",
      async () => {
        const pids = await gateway.workers();
        return pids.length === WORKERS && pids.every((pid) => !before.includes(pid));
      },
      REPLACED_WITHIN_MS,
    );
  },
};
