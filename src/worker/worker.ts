import { setTimeout as delay } from "node:timers/promises";
import type { Settings } from "../config.js";
import { type Log, openLog } from "../observe/log.js";
import { openWorkerMetrics } from "../observe/metrics.js";
import { openPool } from "../pool/pool.js";
import { makeTokenChecker } from "../pool/token-checker.js";
import type { BatchSection } from "../protocol/batch.js";
import type { Assignment, QuotaLimits, ToPrimary, WorkerStatistics } from "../protocol/control.js";
import { RefusalError } from "../protocol/errors.js";
import type { Identity } from "../protocol/identity.js";
import { makeBodyPublisher } from "../publisher/publish-request.js";
import { makeEventWriter } from "../publisher/write.js";
import { connectRedis, retryDelay } from "../redis/connect.js";
import type { Connection } from "./catch-up/connection.js";
import { SharedBlocks } from "./catch-up/shared-blocks.js";
import { ConnectPath } from "./connect-path.js";
import { ControlReader } from "./control/control-reader.js";
import { Revocations } from "./control/revocations.js";
import { TenantLimits } from "./control/tenant-limits.js";
import { DeliverPath } from "./deliver-path.js";
import { drain } from "./drain.js";
import { createEdge, type Edge } from "./edge/app.js";
import type { TenantUser } from "./edge/services.js";
import { Heartbeats } from "./fanout/heartbeats.js";
import { Hub } from "./fanout/hub.js";
import { Positions } from "./fanout/positions.js";
import { continuityOf } from "./resume/gaps.js";
import { History } from "./resume/history.js";
import { RangeReader } from "./resume/range-reader.js";
import { Turns } from "./resume/turns.js";

export interface WorkerLinks {
  tellPrimary(message: ToPrimary): void;
  /** Connections of every worker of the gateway. */
  statistics(): Promise<readonly WorkerStatistics[]>;
  /**
   * One more connection of this user over the whole gateway.
   * @returns false when there are enough already.
   * @throws RefusalError `overloaded` when the primary does not answer.
   */
  takePlace(who: TenantUser, limits: QuotaLimits): Promise<boolean>;
  giveBackPlace(who: TenantUser): void;
}

/** One worker, from its streams to its sockets. */
export interface Worker {
  readonly edge: Edge;
  /** What the primary tells a worker of its streams and siblings goes there. */
  readonly deliverPath: DeliverPath;
  problems(): string[];
  /**
   * Takes no new connections, sends the clients away over `windowMs` milliseconds, and closes everything. Resolves once
   * nothing is open any more; when it is called again, without the rest of the window.
   */
  stop(windowMs: number): Promise<void>;
}

const POOL_THREADS = 1;
const TICK_MS = 1_000;
const INTEREST_SWEEP_EVERY_SECONDS = 5;
const LAG_EVERY_SECONDS = 2;
/** Milliseconds in which requests on connections the kernel handed over before listening ended are still served. */
const LAST_REQUESTS_MS = 300;
/** One part in so many of the history is what was read from Redis lately, and one what was made ready to be sent. */
const CACHE_PART = 16;
const REVOCATION_SWEEP_EVERY_SECONDS = 60;
/** Milliseconds the last words to clients are given to leave. */
const FAREWELL_MS = 250;

/**
 * Puts the steps together in the order of the journey: Redis, intake, pool, hub and relay, sockets. They do not know
 * each other; whatever one needs of another it is given here as a function. They are closed in reverse order.
 */
export function openWorker(settings: Settings, assignment: Assignment, links: WorkerLinks): Worker {
  const { worker, layout } = assignment;
  const log = openLog(settings.logLevel, { worker });
  const metrics = openWorkerMetrics();
  const now = () => Date.now();

  const commands = connectRedis(settings.redis, {
    name: `ragline-gateway-${worker}`,
    onError: warnOf(log, "commands"),
  });
  const pool = openPool(POOL_THREADS, { tokenRules: settings.jwt });
  const positions = new Positions(layout);
  const heartbeats = new Heartbeats(seconds(now()));
  const hub = new Hub({
    layout,
    positions,
    heartbeats,
    openAudience: (topic, format) => edge.openAudience(topic, format),
  });

  const cacheBytes = Math.floor(settings.historyBytes / CACHE_PART);
  const history = new History(settings.historyBytes - 2 * cacheBytes);

  // deliver: Redis → intake → pool → history → hub, and beside the hub the relay
  const deliverPath = new DeliverPath({
    assignment,
    redis: settings.redis,
    commands,
    pool,
    positions,
    broadcast,
    onUninterested: (tenant) => history.close(tenant),
    compare: (stream, id, state) => continuityOf(stream.topic, { id, epoch: 0 }, state).gap,
    onMissed: (key, gap) => connectPath.announceMissed(key, gap),
    onReset: (key, epoch) => connectPath.resetStream(key, epoch),
    tellPrimary: links.tellPrimary,
    metrics,
    log,
    now,
  });
  const { interest } = deliverPath;

  // connect: edge → pool → history, or else Redis → hub
  const ranges = new RangeReader({
    commands,
    encode: async (raw, msgpack) => (await pool.encode(raw, { msgpack })).sections,
    cacheBytes,
  });
  const connectPath = new ConnectPath({
    layout,
    positions,
    hub,
    interest,
    history,
    ranges,
    turns: new Turns(),
    blocks: new SharedBlocks(cacheBytes),
    resumeMaxEvents: settings.resumeMaxEvents,
    retry: retryCatchUp,
  });
  const revocations = new Revocations(now);
  const control = new ControlReader({
    client: commands,
    onRevoked: (added) => {
      for (const revocation of added) revocations.add(revocation);
      const closed = edge.connections.endRevoked((connection) => revocations.covers(connection));
      log.info({ revocations: added.length, closed }, "access was revoked");
    },
    now,
    log,
  });
  const limits = new TenantLimits({
    client: commands,
    defaults: {
      maxConnections: settings.maxConnectionsPerTenant,
      maxConnectionsPerUser: settings.maxConnectionsPerUser,
      publishRate: settings.publishRate,
    },
    log,
    now: () => performance.now(),
  });
  const tokens = makeTokenChecker({
    verify: (batch) => pool.verifyTokens(batch),
    clockToleranceSeconds: settings.jwt.clockToleranceSeconds,
    now,
  });

  // publish: edge → publisher → Redis
  const takeRate = (tenant: string, events: number) => limits.takePublishRate(tenant, events);
  const publish = makeBodyPublisher(layout.topics, makeEventWriter(commands, settings), takeRate);

  const edge = createEdge({
    settings,
    log,
    authenticate,
    refuseRevoked,
    prepare,
    release: (who) => {
      connectPath.release(who.tenant);
      links.giveBackPlace(who);
    },
    open: (connection, lastEventId) => {
      void connectPath.open(connection, lastEventId);
    },
    fallBehind: (connection, cursor) => {
      void connectPath.fallBehind(connection, cursor);
    },
    close: (connection) => connectPath.close(connection),
    changeFilter: (connection, filter) => connectPath.changeFilter(connection, filter),
    publish,
    statistics: links.statistics,
    problems,
    checkOpen,
    refused: (code) => metrics.refused(code),
  });
  let hasStarted = false;
  let isClosing = false;
  let stopped: Promise<void> | null = null;
  const cutShort = new AbortController();
  const ticking = setInterval(tick, TICK_MS);

  function broadcast(sections: readonly BatchSection[]): void {
    edge.leaveMissedBehind();
    history.keep(sections);
    hub.deliver(sections);
  }

  async function prepare(who: TenantUser, msgpack: boolean): Promise<void> {
    await takePlace(who);
    await connectPath.prepare(who.tenant, msgpack).catch((error) => {
      links.giveBackPlace(who);
      throw error;
    });
  }

  async function takePlace(who: TenantUser): Promise<void> {
    const { maxConnections: perTenant, maxConnectionsPerUser: perUser } = await limits.of(who.tenant);
    const taking = links.takePlace(who, { perTenant, perUser });
    // Without a limit it is only counted, for the day on which one is set.
    if (perTenant === 0 && perUser === 0) taking.catch(() => {});
    else if (!(await taking)) throw new RefusalError("quota_exceeded");
  }

  async function authenticate(token: string): Promise<Identity> {
    const verdict = await tokens.check(token);
    if ("identity" in verdict) {
      await control.whenCaughtUp();
      refuseRevoked(verdict.identity);
      return verdict.identity;
    }
    if (verdict.refused !== "unavailable") throw new RefusalError(verdict.refused);
    throw new RefusalError("unavailable", "The key server cannot be reached, try again");
  }

  function refuseRevoked(identity: Identity): void {
    if (revocations.covers(identity)) throw new RefusalError("revoked");
  }

  async function retryCatchUp({ tenant }: Connection, error: unknown, attempt: number): Promise<void> {
    log.warn({ err: error, tenant, attempt }, "a connection could not be caught up yet");
    await delay(retryDelay(attempt));
  }

  function problems(): string[] {
    const redis = commands.status === "ready" ? [] : ["Redis cannot be reached"];
    const unread = control.isReading ? [] : ["the control stream is not being read"];
    return [...redis, ...deliverPath.problems(), ...unread];
  }

  /** While the worker starts, who comes waits in `prepare` instead. */
  function checkOpen(): void {
    if (isClosing) throw new RefusalError("going_away");
    if (hasStarted && problems().length > 0) throw new RefusalError("unavailable");
  }

  function tick(): void {
    const second = seconds(now());
    hasStarted ||= problems().length === 0;
    heartbeats.advance(second);
    edge.connections.expire(second);
    edge.connections.cutStalled();
    deliverPath.announceProgress();
    if (second % INTEREST_SWEEP_EVERY_SECONDS === 0) interest.sweep();
    if (second % LAG_EVERY_SECONDS === 0) void deliverPath.reportLag();
    if (second % REVOCATION_SWEEP_EVERY_SECONDS === 0) revocations.sweep();
    void report();
  }

  async function report(): Promise<void> {
    const connections = edge.connections.totals();
    metrics.connections(connections);
    const health = { problems: problems(), connections, metrics: await metrics.snapshot() };
    links.tellPrimary({ kind: "health", health });
  }

  function stop(windowMs: number): Promise<void> {
    if (stopped !== null) cutShort.abort();
    stopped ??= shutDown(windowMs);
    return stopped;
  }

  async function shutDown(windowMs: number): Promise<void> {
    const { signal } = cutShort;
    await edge.stopListening();
    await delay(LAST_REQUESTS_MS, undefined, { signal }).catch(() => {});
    isClosing = true;
    await drain([...edge.connections.all()], { windowMs, signal });
    await Promise.all([delay(FAREWELL_MS), deliverPath.stopReading()]);
    clearInterval(ticking);
    edge.close();
    await control.stop();
    deliverPath.close();
    await pool.close();
    commands.disconnect();
  }

  return { edge, deliverPath, problems, stop };
}

function warnOf(log: Log, connection: string): (error: Error) => void {
  return (error) => log.warn({ err: error, connection }, "Redis connection failed");
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}
