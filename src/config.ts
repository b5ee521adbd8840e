import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";
import {
  HMAC_ALGORITHMS,
  JWKS_ALGORITHMS,
  keyAlgorithms,
  PUBLIC_KEY_ALGORITHMS,
  SAMPLE_SECRET,
} from "./config/algorithms.js";
import { isLoopback, MASK, normalOrigin } from "./config/kinds.js";
import { KEY_SOURCES, NAMES, type Name, PUBLISHER_NAMES, type Row, TABLE, type Values } from "./config/table.js";
import { topicTag } from "./protocol/cursor.js";

/** Everything the gateway can be told, read from the environment once. docs/settings.md has defaults, units and ranges. */
export interface Settings {
  redis: { urls: string[]; mode: "standalone" | "cluster" | "sentinel"; sentinelName?: string };
  host: string;
  port: number;
  adminHost: string;
  adminPort: number;
  workers: number;
  pathPrefix: string;
  streamPrefix: string;
  topics: readonly string[];
  partitions: number;
  /** Entries kept per stream, about; 0 = never trim. */
  streamMaxLen: number;
  jwt: {
    secret?: string;
    publicKeyFile?: string;
    /** The key in `publicKeyFile`, or its certificate's, as SPKI PEM text. */
    publicKey?: string;
    jwksUrl?: string;
    algorithms: readonly string[];
    issuer?: string;
    audience?: string;
    tenantClaim: string;
    userClaim: string;
    clockToleranceSeconds: number;
  };
  /** Origins as browsers send them; `["*"]` allows all. */
  corsOrigins: readonly string[];
  /** Per worker. */
  maxConnections: number;
  /** Over the whole gateway; 0 = unlimited. */
  maxConnectionsPerTenant: number;
  maxConnectionsPerUser: number;
  /** Events per second and tenant, over all gateways; 0 = unlimited. */
  publishRate: number;
  /** New connections per second and worker. */
  connectRate: number;
  /** Client messages per second and WebSocket. */
  clientMessageRate: number;
  /** Unsent bytes per connection. */
  maxBufferedBytes: number;
  stallSeconds: number;
  /** Per worker. */
  historyBytes: number;
  resumeMaxEvents: number;
  drainSeconds: number;
  tls?: { certFile: string; keyFile: string };
  logLevel: string;
  console: boolean;
}

export type PublisherSettings = Pick<Settings, "redis" | "streamPrefix" | "topics" | "partitions" | "streamMaxLen">;

/** Every problem found in the environment, one per line of `message`; none of them contains a secret. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly problems: readonly string[];
  /** EX_CONFIG of sysexits.h */
  readonly exitCode = 78;

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** @throws {SettingsError} naming every problem */
export function loadSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const problems = new Problems();
  const values = readRows(env, NAMES, problems);
  const tls = tlsSettings(values, problems);
  if (values.PORT === values.ADMIN_PORT && overlap(values.HOST, values.ADMIN_HOST)) {
    problems.add(["PORT", "ADMIN_PORT", "HOST", "ADMIN_HOST"], "PORT and ADMIN_PORT must differ on the same host");
  }
  const settings: Settings = {
    ...streamSettings(values, problems),
    host: values.HOST,
    port: values.PORT,
    adminHost: values.ADMIN_HOST,
    adminPort: values.ADMIN_PORT,
    workers: values.RAGLINE_WORKERS,
    pathPrefix: values.RAGLINE_PATH_PREFIX,
    jwt: jwtSettings(values, problems),
    corsOrigins: values.CORS_ORIGINS.includes("*") ? ["*"] : values.CORS_ORIGINS.map(normalOrigin),
    maxConnections: values.RAGLINE_MAX_CONNECTIONS,
    maxConnectionsPerTenant: values.RAGLINE_MAX_CONNECTIONS_PER_TENANT,
    maxConnectionsPerUser: values.RAGLINE_MAX_CONNECTIONS_PER_USER,
    publishRate: values.RAGLINE_PUBLISH_RATE,
    connectRate: values.RAGLINE_CONNECT_RATE,
    clientMessageRate: values.RAGLINE_CLIENT_MESSAGE_RATE,
    maxBufferedBytes: values.RAGLINE_MAX_BUFFERED_BYTES,
    stallSeconds: values.RAGLINE_STALL_SECONDS,
    historyBytes: values.RAGLINE_HISTORY_BYTES,
    resumeMaxEvents: values.RAGLINE_RESUME_MAX_EVENTS,
    drainSeconds: values.RAGLINE_DRAIN_SECONDS,
    ...(tls && { tls }),
    logLevel: values.LOG_LEVEL,
    console: values.RAGLINE_CONSOLE === "true" || values.RAGLINE_CONSOLE === "1",
  };
  return problems.none(settings);
}

/** The part a publisher needs: no token, no listener. @throws {SettingsError} naming every problem */
export function loadPublisherSettings(env: NodeJS.ProcessEnv = process.env): PublisherSettings {
  const problems = new Problems();
  return problems.none(streamSettings(readRows(env, PUBLISHER_NAMES, problems), problems));
}

/** Every variable with the value in effect, right or wrong, and where it came from; "" where there is none. */
export function describeSettings(
  env: NodeJS.ProcessEnv = process.env,
): Array<{ name: string; value: string; source: "environment" | "default" }> {
  const unheard = new Problems();
  const { algorithms } = jwtSettings(readRows(env, NAMES, unheard), unheard);
  return NAMES.map((name) => {
    const { initial = "" } = TABLE[name] as Row<unknown>;
    const value = env[name] || (name === "JWT_ALGORITHMS" ? algorithms.join(",") : initial);
    return { name, value: shown(name, value), source: env[name] ? "environment" : "default" };
  });
}

/** The environment, for a command or a child: `overrides` before what is set, `defaults` where nothing is. */
export function gatewayEnvironment(
  overrides: Readonly<Record<string, string | undefined>>,
  defaults: Readonly<Record<string, string>> = {},
): NodeJS.ProcessEnv {
  const set = Object.entries(process.env).filter(([, value]) => value !== "");
  const overriding = Object.entries(overrides).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(set), ...Object.fromEntries(overriding) };
}

class Problems {
  readonly refused = new Set<Name>();
  readonly #lines: string[] = [];

  /** Left out when one of the variables it is about is refused already: that one has to change first. */
  add(about: readonly Name[], line: string): void {
    if (!about.some((name) => this.refused.has(name))) this.#lines.push(line);
  }

  refuse(name: Name, line: string): void {
    this.add([name], `${name} ${line}`);
    this.refused.add(name);
  }

  /** `settings`, frozen to the bottom, if there is no problem. */
  none<T extends object>(settings: T): T {
    if (this.#lines.length > 0) throw new SettingsError(this.#lines);
    return freeze(settings);
  }
}

/** A refused value is replaced by the default, so that the others can still be checked. */
function readRows<K extends Name>(env: NodeJS.ProcessEnv, names: readonly K[], problems: Problems): Pick<Values, K> {
  const read = names.map((name) => {
    const { initial, schema, expects, mask } = TABLE[name] as Row<unknown>;
    const value = schema.safeParse(env[name] || initial);
    if (value.success) return [name, value.data];
    const given = mask || !env[name] ? "" : `, not ${JSON.stringify(shown(name, env[name]))}`;
    if (env[name]) problems.refuse(name, `must be ${expects}${given}`);
    return [name, initial === undefined ? undefined : schema.parse(initial)];
  });
  return Object.fromEntries(read);
}

function shown(name: Name, value: string): string {
  const { mask } = TABLE[name] as Row<unknown>;
  if (value && mask) return mask(value);
  // Keys put where a path belongs, passwords in addresses where none belong.
  return value.includes("-----BEGIN") ? MASK : value.replace(/\/\/.*@/gs, `//${MASK}@`);
}

function streamSettings(values: Pick<Values, (typeof PUBLISHER_NAMES)[number]>, problems: Problems): PublisherSettings {
  const { REDIS_URL: urls, REDIS_MODE: mode, REDIS_SENTINEL_NAME: sentinelName } = values;
  const about = ["REDIS_URL", "REDIS_MODE"] as const;
  if (mode === "standalone" && urls.length > 1) {
    problems.add(about, "REDIS_URL may list several addresses with REDIS_MODE=cluster or sentinel only");
  }
  if (mode === "cluster" && urls.some((url) => !/^\/?0*$/.test(new URL(url).pathname))) {
    problems.add(about, "REDIS_URL must name database 0 or none with REDIS_MODE=cluster");
  }
  if (new Set(urls.map((url) => new URL(url).protocol)).size > 1) {
    problems.add(about, "REDIS_URL must not mix redis:// and rediss://");
  }
  if (mode === "sentinel" && !sentinelName) {
    problems.add(["REDIS_MODE", "REDIS_SENTINEL_NAME"], "REDIS_SENTINEL_NAME is required with REDIS_MODE=sentinel");
  }
  const { RAGLINE_TOPICS: topics } = values;
  if (new Set(topics.map(topicTag)).size < topics.length) {
    problems.add(["RAGLINE_TOPICS"], "RAGLINE_TOPICS has two names that a cursor cannot tell apart; rename one");
  }
  return {
    redis: { urls, mode, ...(mode === "sentinel" && sentinelName && { sentinelName }) },
    streamPrefix: values.RAGLINE_STREAM_PREFIX,
    topics,
    partitions: values.RAGLINE_PARTITIONS,
    streamMaxLen: values.RAGLINE_STREAM_MAXLEN,
  };
}

function jwtSettings(values: Values, problems: Problems): Settings["jwt"] {
  const { JWT_SECRET_KEY: secret, JWT_PUBLIC_KEY_FILE: publicKeyFile, JWT_JWKS_URL: jwksUrl } = values;
  const sources = KEY_SOURCES.filter((name) => values[name] !== undefined || problems.refused.has(name));
  if (sources.length === 0) problems.add([], `one of ${KEY_SOURCES.join(", ")} is required`);
  if (sources.length > 1) problems.add([], `only one of ${KEY_SOURCES.join(", ")} may be set, not ${sources.length}`);
  if (secret === SAMPLE_SECRET) {
    problems.refuse("JWT_SECRET_KEY", "is the well-known sample secret; choose one of your own");
  }
  const key = publicKeyFile === undefined ? undefined : readPublicKey(publicKeyFile, problems);
  const fitting: readonly string[] = secret ? HMAC_ALGORITHMS : key ? keyAlgorithms(key) : PUBLIC_KEY_ALGORITHMS;
  const algorithms = values.JWT_ALGORITHMS ?? (jwksUrl ? JWKS_ALGORITHMS : secret || key ? fitting.slice(0, 1) : []);
  const unfit = algorithms.filter((algorithm) => !fitting.includes(algorithm));
  const hmac = algorithms.filter((algorithm) => algorithm.startsWith("HS"));
  if (hmac.length > 0 && hmac.length < algorithms.length) {
    problems.refuse("JWT_ALGORITHMS", "must not mix HMAC (HS256, HS384, HS512) and public-key algorithms");
  } else if (unfit.length > 0 && sources.length === 1) {
    const reason = `lists ${unfit.join(", ")}, but ${sources[0]} can be used with ${fitting.join(", ")} only`;
    problems.add(["JWT_ALGORITHMS", ...KEY_SOURCES], `JWT_ALGORITHMS ${reason}`);
  }
  return {
    ...(secret !== undefined && { secret }),
    ...(publicKeyFile !== undefined && { publicKeyFile }),
    ...(key && { publicKey: key.export({ type: "spki", format: "pem" }).toString() }),
    ...(jwksUrl !== undefined && { jwksUrl }),
    algorithms,
    ...(values.JWT_ISSUER !== undefined && { issuer: values.JWT_ISSUER }),
    ...(values.JWT_AUDIENCE !== undefined && { audience: values.JWT_AUDIENCE }),
    tenantClaim: values.JWT_TENANT_CLAIM,
    userClaim: values.JWT_USER_CLAIM,
    clockToleranceSeconds: values.JWT_CLOCK_TOLERANCE,
  };
}

function readPublicKey(path: string, problems: Problems): KeyObject | undefined {
  const pem = readText("JWT_PUBLIC_KEY_FILE", path, problems);
  if (pem === undefined) return undefined;
  try {
    const key = createPublicKey(pem);
    // createPublicKey would take a private key as well, and derive the public one.
    if (keyAlgorithms(key).length > 0 && !pem.includes("PRIVATE KEY")) return key;
  } catch {
    // The text of the error may repeat the file; what is expected is said below.
  }
  problems.refuse("JWT_PUBLIC_KEY_FILE", `must hold a ${TABLE.JWT_PUBLIC_KEY_FILE.meaning}`);
  return undefined;
}

function tlsSettings(values: Values, problems: Problems): Settings["tls"] {
  const { RAGLINE_TLS_CERT_FILE: certFile, RAGLINE_TLS_KEY_FILE: keyFile } = values;
  const both = ["RAGLINE_TLS_CERT_FILE", "RAGLINE_TLS_KEY_FILE"] as const;
  if (certFile === undefined || keyFile === undefined) {
    if (certFile !== keyFile) problems.add(both, `${both.join(" and ")} must be set together`);
    return undefined;
  }
  const cert = readText(both[0], certFile, problems);
  const key = readText(both[1], keyFile, problems);
  try {
    createSecureContext({ cert, key });
  } catch {
    problems.add(both, `${both.join(" and ")} must hold a PEM certificate and its private key, without passphrase`);
  }
  return { certFile, keyFile };
}

function readText(name: Name, path: string, problems: Problems): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    problems.refuse(name, `cannot be read (${code}): ${JSON.stringify(shown(name, path))}`);
    return undefined;
  }
}

function overlap(one: string, other: string): boolean {
  const hosts = [one.toLowerCase(), other.toLowerCase()];
  if (hosts[0] === hosts[1] || hosts.includes("::")) return true;
  if (hosts.includes("0.0.0.0")) return hosts.every((name) => isIP(name) !== 6);
  return hosts.includes("localhost") && hosts.every(isLoopback);
}

function freeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === "object") freeze(part);
  return Object.freeze(value);
}
