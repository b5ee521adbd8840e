import type { Settings } from "../config.js";
import { type Log, openLog } from "../observe/log.js";
import { openWorkerMetrics } from "../observe/metrics.js";
import { openPool } from "../pool/pool.js";
import { makeTokenChecker } from "../pool/token-checker.js";
import type { BatchSection } from "../protocol/batch.js";
import type { Assignment, Peer, ToPrimary, WorkerStatistics } from "../protocol/control.js";
import type { EntryId } from "../protocol/entry-id.js";
import { RefusalError } from "../protocol/errors.js";
import type { Identity } from "../protocol/identity.js";
import { unitStreams } from "../protocol/stream.js";
import { makeBodyPublisher } from "../publisher/publish-request.js";
import { makeEventWriter } from "../publisher/write.js";
import { connectRedis } from "../redis/connect.js";
import { ConnectPath } from "./connect-path.js";
import { createEdge, type Edge } from "./edge/app.js";
import type { EdgeConnection, TenantUser } from "./edge/services.js";
import { Heartbeats } from "./fanout/heartbeats.js";
import { Hub } from "./fanout/hub.js";
import { Interest } from "./fanout/interest.js";
import { Positions } from "./fanout/positions.js";
import { Progress } from "./fanout/progress.js";
import { Relay } from "./fanout/relay.js";
import { Intake } from "./intake/intake.js";
import { readsOf } from "./intake/reads.js";
import { Replay } from "./resume/replay.js";

export interface WorkerLinks {
  tellPrimary(message: ToPrimary): void;
  /** Connections of every worker of the gateway. */
  statistics(): Promise<readonly WorkerStatistics[]>;
  /**
   * One more connection of this user over the whole gateway.
   * @returns false when there are enough already.
   * @throws RefusalError `overloaded` when the primary does not answer.
   */
  takePlace(who: TenantUser): Promise<boolean>;
  giveBackPlace(who: TenantUser): void;
}

/** One worker, from its streams to its sockets. */
export interface Worker {
  readonly edge: Edge;
  problems(): string[];
  setSiblings(siblings: readonly Peer[]): void;
  /** Resolves once nothing is open any more. */
  stop(): Promise<void>;
}

const POOL_THREADS = 1;
const TICK_MS = 1_000;
const INTEREST_SWEEP_EVERY_SECONDS = 5;
const LONGEST_RETRY_MS = 3_000;
const LEAST_RETRY_MS = 500;
/** Milliseconds after which a sibling that has not greeted us is taken to be down. */
const MEET_WITHIN_MS = 3_000;
/** Milliseconds the last words to clients are given to leave. */
const FAREWELL_MS = 250;

/**
 * Puts the steps together in the order of the journey: Redis, intake, pool, hub and relay, sockets. They do not know
 * each other; whatever one needs of another it is given here as a function. They are closed in reverse order.
 */
export function openWorker(settings: Settings, assignment: Assignment, links: WorkerLinks): Worker {
  const { worker, group, layout, units, socketPath, siblings } = assignment;
  const log = openLog(settings.logLevel, { worker });
  const metrics = openWorkerMetrics();
  const now = () => Date.now();
  const hasQuota = settings.maxConnectionsPerTenant > 0 || settings.maxConnectionsPerUser > 0;

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

  // deliver: Redis → intake → pool → hub, and beside the hub the relay
  const streams = units.flatMap((unit) => unitStreams(layout, unit));
  const relay = new Relay({
    worker,
    socketPath,
    ownInterest: () => interest.entries(),
    ownPositions: () => progress.all(),
    settled: async () => {
      await Promise.all(intakes.map((intake) => intake.settled()));
    },
    onBatch: broadcast,
    onPositions: (entries) => advance(new Map(entries)),
  });
  relay.setSiblings(siblings);
  const progress = new Progress(
    streams.map(({ key }) => key),
    positions,
  );
  const interest = new Interest({
    declare: (add, remove) => relay.declareInterest(add, remove),
    barrier: async () => {
      await Promise.all([relay.barrier(), ...intakes.map((intake) => intake.settled())]);
    },
    now,
  });
  const mayStart = relay.allMet(MEET_WITHIN_MS);
  const intakes = readsOf(streams, settings.redis.mode).map(
    (read) =>
      new Intake({
        mayStart,
        group,
        streams: read,
        commands,
        connect: () =>
          connectRedis(settings.redis, {
            name: `ragline-gateway-${worker}-reader`,
            blocking: true,
            onError: warnOf(log, "reader"),
          }),
        encode: (raw) =>
          pool.encode(raw, {
            msgpack: interest.takesMsgpack() || relay.wantsMsgpack(),
            wants: (tenant) => interest.has(tenant) || relay.wants(tenant),
          }),
        deliver: async (sections) => {
          const handedOver = relay.relay(sections);
          broadcast(sections);
          await handedOver;
        },
        onAttached: (attached) => {
          advance(attached);
          relay.announceProgress([...attached]);
        },
        onRead: (entries) => metrics.eventsRead(entries),
        onDeadLetter: (reason) => metrics.deadLetter(reason),
        log,
      }),
  );

  // connect: edge → pool → replay → hub
  const replay = new Replay({
    commands,
    encode: async (raw) => (await pool.encode(raw, { msgpack: true })).sections,
  });
  const connectPath = new ConnectPath({
    layout,
    positions,
    hub,
    interest,
    replay,
    resumeMaxEvents: settings.resumeMaxEvents,
  });
  const tokens = makeTokenChecker({
    verify: (batch) => pool.verifyTokens(batch),
    clockToleranceSeconds: settings.jwt.clockToleranceSeconds,
    now,
  });

  // publish: edge → publisher → Redis
  const publish = makeBodyPublisher(layout.topics, makeEventWriter(commands, settings));

  const edge = createEdge({
    settings,
    log,
    authenticate,
    prepare,
    release: (who) => {
      connectPath.release(who.tenant);
      if (hasQuota) links.giveBackPlace(who);
    },
    open: (connection, lastEventId) => {
      connectPath.open(connection, lastEventId).catch((error) => giveUp(connection, error));
    },
    fallBehind: (connection, cursor) => {
      connectPath.fallBehind(connection, cursor).catch((error) => giveUp(connection, error));
    },
    close: (connection) => connectPath.close(connection),
    changeFilter: (connection, filter) => connectPath.changeFilter(connection, filter),
    publish,
    statistics: links.statistics,
    problems,
    isOut,
  });
  let hasStarted = false;
  const ticking = setInterval(tick, TICK_MS);

  function broadcast(sections: readonly BatchSection[]): void {
    edge.leaveMissedBehind();
    hub.deliver(sections);
  }

  function advance(to: ReadonlyMap<string, EntryId>): void {
    for (const [key, id] of to) positions.advance(key, id);
    positions.announce();
  }

  async function prepare(who: TenantUser, msgpack: boolean): Promise<void> {
    if (hasQuota && !(await links.takePlace(who))) throw new RefusalError("quota_exceeded");
    await connectPath.prepare(who.tenant, msgpack).catch((error) => {
      if (hasQuota) links.giveBackPlace(who);
      throw error;
    });
  }

  async function authenticate(token: string): Promise<Identity> {
    const verdict = await tokens.check(token);
    if ("identity" in verdict) return verdict.identity;
    if (verdict.refused !== "unavailable") throw new RefusalError(verdict.refused);
    throw new RefusalError("unavailable", "The key server cannot be reached, try again");
  }

  function giveUp(connection: EdgeConnection, error: unknown): void {
    log.warn({ err: error, tenant: connection.tenant }, "a connection could not be caught up");
    connection.end("unavailable");
  }

  function problems(): string[] {
    const found: string[] = [];
    if (commands.status !== "ready") found.push("Redis cannot be reached");
    if (!intakes.every(({ isReading }) => isReading)) found.push("not every stream is being read");
    return found;
  }

  /** While the worker starts, who comes waits in `prepare` instead. */
  function isOut(): boolean {
    return hasStarted && problems().length > 0;
  }

  function tick(): void {
    const second = seconds(now());
    hasStarted ||= problems().length === 0;
    heartbeats.advance(second);
    edge.connections.expire(second);
    edge.connections.cutStalled();
    relay.announceProgress(progress.changed());
    if (second % INTEREST_SWEEP_EVERY_SECONDS === 0) interest.sweep();
    void report();
  }

  async function report(): Promise<void> {
    const connections = edge.connections.totals();
    metrics.connections(connections);
    const health = { problems: problems(), connections, metrics: await metrics.snapshot() };
    links.tellPrimary({ kind: "health", health });
  }

  async function stop(): Promise<void> {
    edge.stopListening();
    for (const connection of edge.connections.all()) connection.sendAway(spread(LEAST_RETRY_MS, LONGEST_RETRY_MS));
    await Promise.all([
      new Promise((resolve) => setTimeout(resolve, FAREWELL_MS)),
      ...intakes.map((intake) => intake.stop()),
    ]);
    clearInterval(ticking);
    edge.close();
    relay.close();
    await pool.close();
    commands.disconnect();
  }

  return { edge, problems, setSiblings: (peers) => relay.setSiblings(peers), stop };
}

function warnOf(log: Log, connection: string): (error: Error) => void {
  return (error) => log.warn({ err: error, connection }, "Redis connection failed");
}

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

function spread(from: number, to: number): number {
  return Math.round(from + Math.random() * (to - from));
}
