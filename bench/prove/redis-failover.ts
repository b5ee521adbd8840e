import { setTimeout as delay } from "node:timers/promises";
import { until } from "../../test/support/until.ts";
import { NOTICED_WITHIN_MS, READY_AGAIN_WITHIN_MS } from "./support/bounds.ts";
import { RedisServer } from "./support/redis-server.ts";
import type { Scenario } from "./support/scenario.ts";

const IN_STEP_WITHIN_MS = 20_000;
const DELIVERED_WITHIN_MS = 20_000;
/** For which the replica has nothing of what is added. */
const LACKS_MS = { full: 3_000, quick: 1_000 };

export const redisFailover: Scenario = {
  name: "failover",
  what: "the primary dies and a replica takes its place that lacks the last writes, which clients have got: a gap `reset` says that the streams went back",
  setting: { network: true, gaps: ["reset"] },
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
