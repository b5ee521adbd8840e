import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Settings } from "../config.js";
import { openLog } from "../observe/log.js";
import { allUnits, type StreamLayout } from "../protocol/stream.js";
import { connectRedis } from "../redis/connect.js";
import { groupName } from "../redis/keys.js";
import { assignUnits } from "./assign.js";
import { Fleet } from "./fleet.js";
import { GatewayKey } from "./gateway-key.js";
import { listenForOperators } from "./operator-listener.js";

/** Milliseconds beyond the drain after which a worker that still runs is killed. */
const KILL_AFTER_MS = 5_000;

/** The primary process: starts the workers, shares out the streams, answers operators. No event passes through it. */
export async function runPrimary(settings: Settings, entry: string): Promise<void> {
  const log = openLog(settings.logLevel, { worker: "primary" });
  const layout: StreamLayout = {
    prefix: settings.streamPrefix,
    topics: settings.topics,
    partitions: settings.partitions,
  };
  const group = groupName(hostname(), `${Date.now().toString(36)}-${randomBytes(4).toString("hex")}`);
  const directory = mkdtempSync(join(tmpdir(), "ragline-gateway-"));
  const ids = Array.from({ length: settings.workers }, (_, i) => i + 1);
  let fleet: Fleet | null = null;
  let stopping = false;

  const redis = connectRedis(settings.redis, {
    name: "ragline-gateway-primary",
    onError: (error) => log.warn({ err: error }, "Redis connection failed"),
  });
  const key = new GatewayKey(redis, group, log);
  const operators = await listenForOperators({
    host: settings.adminHost,
    port: settings.adminPort,
    group,
    members: () => fleet?.members() ?? [],
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
    units: assignUnits(allUnits(layout), ids),
    directory,
    quotas: { perTenant: settings.maxConnectionsPerTenant, perUser: settings.maxConnectionsPerUser },
    log,
    onFailed: (message) => {
      log.fatal({ message }, "a worker cannot start");
      void stop(1);
    },
  });

  async function stop(code: number): Promise<void> {
    if (stopping) return;
    stopping = true;
    log.info("stopping");
    await fleet?.stop(settings.drainSeconds * 1000 + KILL_AFTER_MS);
    await key.leave(layout);
    redis.disconnect();
    operators.close();
    rmSync(directory, { recursive: true, force: true });
    process.exit(code);
  }

  process.on("SIGTERM", () => void stop(0));
  process.on("SIGINT", () => void stop(0));
  log.info({ port: settings.port, workers: settings.workers, group }, "started");
}
