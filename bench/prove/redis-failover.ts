import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../test/support/until.ts";
import { NOTICED_WITHIN_MS, READY_AGAIN_WITHIN_MS } from "./support/bounds.ts";
import { RedisServer } from "./support/redis-server.ts";
import type { Scenario } from "./support/scenario.ts";

const IN_STEP_WITHIN_MS = 20_000;
const DELIVERED_WITHIN_MS = 20_000;
/** For which the replica has nothing of what is added. */
const LACKS_MS = { full: 3_000, quick: 1_000 };
/** Longer than that, and longer than it takes to switch over, most of them. */
const AWAY_MS = { least: 4_000, most: 9_000 };

export const redisFailover: Scenario = {
  name: "failover",
  what: "the primary dies and a replica takes its place that lacks the last writes, which were read: a gap `reset` says what is missing to those who were away",
  setting: {
    network: true,
    gaps: ["reset"],
    clients: { herd: 20 },
    // What is in memory would not be missing.
    settings: { RAGLINE_HISTORY_BYTES: "0" },
  },
  async run(scene) {
    const { quick, redis: old, network, gateway, publisher, crowd, undo } = scene;
    const replica = await RedisServer.start(["--replicaof", "127.0.0.1", String(old.port)]);
    undo.push(() => replica.close());
    await until(
      "the replica to be in step",
      async () => /master_link_status:up/.test(await replica.commands.info("replication")),
      IN_STEP_WITHIN_MS,
    );
    await delay(LACKS_MS.quick);
    await replica.commands.replicaof("NO", "ONE");
    await crowd.stampede(AWAY_MS.least, AWAY_MS.most);
    await delay(quick ? LACKS_MS.quick : LACKS_MS.full);
    // What nobody has read dies with the primary unseen: only what was read can be told.
    await publisher.pause();
    await crowd.settle(publisher.last(), "steady", DELIVERED_WITHIN_MS);
    await old.end("SIGKILL");
    await gateway.untilNotReady(NOTICED_WITHIN_MS);
    network!.leadTo(replica.port);
    publisher.moveTo(replica.url);
    scene.redis = replica;
    publisher.resume();
    await gateway.untilReady(READY_AGAIN_WITHIN_MS);
  },
};
