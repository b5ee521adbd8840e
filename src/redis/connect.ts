import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { Settings } from "../config.js";

export type RedisClient = Redis | Cluster;
export type RedisTarget = Settings["redis"];

type SingleOptions = Omit<RedisOptions, "replyMapping">;

export interface ConnectOptions {
  /** Shown by CLIENT LIST. */
  readonly name: string;
  /**
   * A blocking connection serves one XREADGROUP at a time, however long Redis holds it open. A command on any other is
   * given 5 s, and a connection on which nothing comes for 6 s is replaced. On both, a command fails at once when the
   * connection is lost or not there.
   */
  readonly blocking?: boolean;
  readonly onError: (error: Error) => void;
}

const COMMAND_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** Nothing came for so long although something was asked: nobody is there any more, and nobody says so. */
const SILENT_TIMEOUT_MS = 6_000;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;
const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;

export function connectRedis(target: RedisTarget, options: ConnectOptions): RedisClient {
  const client = target.mode === "cluster" ? openCluster(target, options) : new Redis(singleOptions(target, options));
  client.on("error", options.onError);
  if (client instanceof Cluster) client.on("+node", limitHandshake);
  else limitHandshake(client);
  return client;
}

/** A connection that was made and on which nothing comes is given up. ioredis itself would wait for it for ever. */
function limitHandshake(client: Redis): void {
  let timer: NodeJS.Timeout | undefined;
  client.on("connect", () => {
    timer = setTimeout(() => client.disconnect(true), CONNECT_TIMEOUT_MS);
  });
  for (const end of ["ready", "close"]) client.on(end, () => clearTimeout(timer));
}

/** Exponential with full jitter, so that many gateways do not return to a restarted Redis at once. */
export function retryDelay(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 16), LONGEST_RETRY_MS);
  return Math.ceil(ceiling / 2 + (random() * ceiling) / 2);
}

/** Resolves once `client` answers commands. */
export async function whenReady(client: RedisClient, signal?: AbortSignal): Promise<void> {
  while (client.status !== "ready") {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const done = () => {
        client.off("ready", done);
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        client.off("ready", done);
        reject(signal?.reason);
      };
      client.once("ready", done);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

/** The first connection takes a moment, for which a command may wait. Resolves once it stands, or has failed. */
export function firstAttempt(client: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    for (const outcome of ["ready", "error", "close", "end"]) client.once(outcome, () => resolve());
  });
}

function commonOptions({ name, blocking = false }: ConnectOptions): SingleOptions {
  return {
    connectionName: name,
    // RESP3 answers XREADGROUP as a map, and nothing here needs its other types.
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // Rejects what was sent as soon as the connection is lost. With any other value, what is not sent again never settles.
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    ...(blocking ? {} : { commandTimeout: COMMAND_TIMEOUT_MS, socketTimeout: SILENT_TIMEOUT_MS }),
    retryStrategy: (attempt) => retryDelay(attempt),
    // After a failover the old primary answers READONLY: reconnect, to be led to the new one.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  };
}

function singleOptions(target: RedisTarget, options: ConnectOptions): SingleOptions {
  const [first] = target.urls.map(parseUrl);
  if (target.mode === "sentinel") {
    const sentinels = target.urls.map(parseUrl).map(({ host, port = SENTINEL_PORT }) => ({ host, port }));
    const { username, password, db, tls } = first!;
    const sentinelRetryStrategy = (attempt: number) => retryDelay(attempt);
    return {
      ...commonOptions(options),
      ...withoutUndefined({ username, password, db, tls }),
      // Without these two, neither the sentinels nor the master they name would be spoken to with TLS.
      ...(tls !== undefined && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
      sentinels,
      name: target.sentinelName!,
      sentinelRetryStrategy,
    };
  }
  return { ...commonOptions(options), ...withoutUndefined(first!) };
}

function openCluster(target: RedisTarget, options: ConnectOptions): Cluster {
  const nodes = target.urls.map(parseUrl);
  const { username, password, tls } = nodes[0]!;
  return new Cluster(
    nodes.map(({ host, port = REDIS_PORT }) => ({ host, port })),
    {
      redisOptions: { ...commonOptions(options), ...withoutUndefined({ username, password, tls }) },
      enableOfflineQueue: false,
      clusterRetryStrategy: (attempt) => retryDelay(attempt),
    },
  );
}

interface RedisAddress {
  host: string;
  port: number | undefined;
  username: string | undefined;
  password: string | undefined;
  db: number | undefined;
  tls: Record<string, never> | undefined;
}

function parseUrl(text: string): RedisAddress {
  const url = new URL(text);
  const db = url.pathname.slice(1);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? undefined : Number(url.port),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db: db === "" ? undefined : Number(db),
    tls: url.protocol === "rediss:" ? {} : undefined,
  };
}

function withoutUndefined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const defined = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as { [K in keyof T]: Exclude<T[K], undefined> };
}
