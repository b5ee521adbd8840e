import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { hostname } from "node:os";
import type { Settings } from "../config.js";
import { openLog } from "../observe/log.js";
import type { StreamLayout } from "../protocol/stream.js";
import { connectRedis } from "../redis/connect.js";
import { groupName } from "../redis/keys.js";
import { Fleet } from "./fleet.js";
import { GatewayKey } from "./gateway-key.js";
import { listenForOperators } from "./operator-listener.js";
import { makeSocketDirectory } from "./socket-directory.js";
import { VanishedGroups } from "./vanished-groups.js";

/** The primary process: starts the workers, shares out the streams, answers operators. No event passes through it. */
export async function runPrimary(settings: Settings, entry: string): Promise<void> {
  const log = openLog(settings.logLevel, { worker: "primary" });
  const layout: StreamLayout = {
    prefix: settings.streamPrefix,
    topics: settings.topics,
    partitions: settings.partitions,
  };
  const group = groupName(hostname(), `${Date.now().toString(36)}-${randomBytes(4).toString("hex")}`);
  const directory = makeSocketDirectory();
  let fleet: Fleet | null = null;
  let stopping = false;

  const redis = connectRedis(settings.redis, {
    name: "ragline-gateway-primary",
    onError: (error) => log.warn({ err: error }, "Redis connection failed"),
  });
  const key = new GatewayKey(redis, group, log);
  const vanished = new VanishedGroups({ client: redis, layout, group, log });
  const operators = await listenForOperators({
    host: settings.adminHost,
    port: settings.adminPort,
    group,
    layout,
    fleet: () => fleet,
    isStopping: () => stopping,
  }).catch((error: Error) => {
    log.fatal({ err: error }, "the operator listener cannot start");
    rmSync(directory, { recursive: true, force: true });
    process.exit(1);
  });
  fleet = new Fleet({
    workers: settings.workers,
    entry,
    group,
    layout,
    directory,
    drainMs: settings.drainSeconds * 1000,
    log,
    onFailed: (message) => {
      log.fatal({ message }, "the gateway cannot run");
      void stop(1);
    },
  });

  async function stop(code: number): Promise<void> {
    if (stopping) {
      fleet?.hurry();
      return;
    }
    stopping = true;
    log.info("stopping");
    vanished.stop();
    await fleet?.stop();
    await key.leave(layout);
    redis.disconnect();
    operators.close();
    rmSync(directory, { recursive: true, force: true });
    process.exit(code);
  }

  process.on("SIGTERM", () => void stop(0));
  process.on("SIGINT", () => void stop(0));
  process.on("SIGHUP", () => void fleet?.roll());
  log.info({ port: settings.port, workers: settings.workers, group }, "started");
}
