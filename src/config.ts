import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { createSecureContext } from "node:tls";
import { z } from "zod";

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

// ---- kinds of value: what is accepted, in words and as a schema over the text given ----

interface Kind<T> {
  expects: string;
  schema: z.ZodType<T, string>;
  /** What may be shown of a value that can hold a secret. Such a value is never repeated in a problem. */
  mask?: (value: string) => string;
}

const MASK = "***";

function text(expects: string, accepts: RegExp | ((value: string) => boolean)): Kind<string> {
  const test = accepts instanceof RegExp ? (value: string) => accepts.test(value) : accepts;
  return { expects, schema: z.string().refine(test) };
}

function integer(min: number, max = Number.MAX_SAFE_INTEGER, unit = ""): Kind<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  const digits = z.string().regex(/^(0|[1-9]\d*)$/);
  const schema = digits.transform(Number).pipe(z.number().min(min).max(max));
  return { expects: `a whole number${unit && ` of ${unit}`}, ${range}`, schema };
}

function oneOf<const T extends string>(values: readonly T[]): Kind<T> {
  return { expects: `one of ${values.join(", ")}`, schema: z.string().pipe(z.enum(values)) };
}

/** Comma-separated without repetition; spaces around an item are dropped. */
function list<T>(item: Kind<T>, max = Number.POSITIVE_INFINITY): Kind<T[]> {
  const split = z.string().transform((value) => value.split(",").map((part) => part.trim()));
  const items = z.array(item.schema).refine((all) => all.length <= max && new Set(all).size === all.length);
  const count = max === Number.POSITIVE_INFINITY ? "a list" : `a list of 1 to ${max}`;
  return {
    expects: `${count}, separated by commas, without repetition, each ${item.expects}`,
    schema: split.pipe(items),
  };
}

const parseUrl = (value: string) => (URL.canParse(value) ? new URL(value) : undefined);
const isLoopback = (name: string) => /^(localhost|.+\.localhost|127(\.\d+){3}|::1|\[::1\])$/i.test(name);

function isHost(value: string): boolean {
  return isIP(value) > 0 || (/^[\w-]+(\.[\w-]+)*$/.test(value) && !/(^|\.)\d+$/.test(value));
}

function isRedisUrl(value: string): boolean {
  const url = parseUrl(value);
  if (!url || !/^rediss?:$/.test(url.protocol) || !url.hostname || url.port === "0" || /[?#]/.test(value)) return false;
  return /^(\/\d{0,5})?$/.test(url.pathname) && /^([^%]|%[0-9a-f]{2})*$/i.test(url.username + url.password);
}

function isJwksUrl(value: string): boolean {
  const url = parseUrl(value);
  // An "@" this late means a "/" or "?" in the password, which should have been encoded and would be shown.
  if (!url || value.includes("#") || (url.pathname + url.search).includes("@")) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

function isOrigin(value: string): boolean {
  return value === "*" || (/^[a-z][a-z\d+.-]*:\/\/[^/?#@*\\\s]+$/i.test(value) && Boolean(parseUrl(value)?.host));
}

/** As a browser writes it into `Origin` (RFC 6454 §6.2): lower case, no default port. */
function normalOrigin(value: string): string {
  if (value === "*") return value;
  const { origin, protocol, host } = new URL(value);
  return origin === "null" ? `${protocol}//${host}` : origin;
}

/** Addresses without user, password and query; nothing at all of one that is not well formed. */
function maskUrls(value: string): string {
  const addresses = value.split(",").map((part) => part.trim());
  if (!addresses.every((address) => isRedisUrl(address) || isJwksUrl(address))) return MASK;
  const masked = addresses.map((address) => {
    const { protocol, username, password, host, pathname, search } = new URL(address);
    return `${protocol}//${username || password ? `${MASK}@` : ""}${host}${pathname}${search && `?${MASK}`}`;
  });
  return masked.join(",");
}

/** In the documentation of the service this gateway replaces: anyone could sign with it. */
const SAMPLE_SECRET = "your-secret-key-change-in-production";
const HMAC_ALGORITHMS = ["HS256", "HS384", "HS512"] as const;
const RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const;
const PUBLIC_KEY_ALGORITHMS = [...RSA_ALGORITHMS, "ES256", "ES384", "ES512", "EdDSA"] as const;
const JWKS_ALGORITHMS = ["RS256", "ES256", "EdDSA"] as const;

const host = text("a host name or an IP address", isHost);
const port = integer(1, 65535);
const phrase = text("text without line breaks", /^[^\p{Cc}]+$/u);
const file = text("the path of a file", /^[^\p{Cc}]+$/u);
const claim = text("the name of a claim, without spaces", /^[^\s\p{Cc}]+$/u);
const redisUrl = text("redis:// or rediss://[user:password@]host[:port][/database], percent-encoded", isRedisUrl);
const jwksUrl = text("an https:// URL without fragment (http:// for loopback hosts only)", isJwksUrl);
const secret = text(
  "at least 32 bytes of UTF-8 text, not a PEM key",
  (value) => Buffer.byteLength(value) >= 32 && !value.includes("-----BEGIN"),
);
const pathPrefix = text(
  "empty, or a path that starts with / and does not end with it, without empty or dot segments and without ? # * : or spaces",
  /^(\/(?!\.{1,2}(\/|$))[^/?#*:\\\s\p{Cc}\P{ASCII}]+)*$/u,
);
const topic = text("1 to 64 of A-Z a-z 0-9 _ -", /^[\w-]{1,64}$/);
const origin = text("* or an origin such as https://app.example.com:8443, without path", isOrigin);
const flag = oneOf(["true", "false", "1", "0"]);
const level = oneOf(["fatal", "error", "warn", "info", "debug", "trace", "silent"]);
const streamPrefix = text("text without braces or spaces", /^[^{}\s\p{Cc}]+$/u);
const algorithm = oneOf([...HMAC_ALGORITHMS, ...PUBLIC_KEY_ALGORITHMS]);

// ---- the table: one row per environment variable ----

interface Row<T> extends Kind<T> {
  meaning: string;
  /** The default as text; without one the setting is `undefined`. */
  initial?: string;
  /** The default in words, where it is not the same everywhere. */
  initially?: string;
}

const row = <T>(initial: string, kind: Kind<T>, meaning: string): Row<T> => ({ ...kind, meaning, initial });
const optional = <T>(kind: Kind<T | undefined>, meaning: string): Row<T | undefined> => ({ ...kind, meaning });

/** More would not fit into a cursor of 256 characters. */
const MAX_TOPICS = 8;
const CORES = String(Math.min(availableParallelism(), 256));
const ALGORITHMS_DEFAULT = `\`HS256\` with a secret, what fits the key with a file, \`${JWKS_ALGORITHMS}\` with a URL`;

const TABLE = {
  REDIS_URL: {
    ...row("redis://127.0.0.1:6379/0", list(redisUrl), "one address, or the seeds of a cluster, or the sentinels"),
    mask: maskUrls,
  },
  REDIS_MODE: row("standalone", oneOf(["standalone", "cluster", "sentinel"]), "how Redis is run"),
  REDIS_SENTINEL_NAME: optional(phrase, "name of the master, required with `REDIS_MODE=sentinel`"),
  HOST: row("0.0.0.0", host, "address of the public listener, shared by all workers"),
  PORT: row("8080", port, "port of the public listener"),
  ADMIN_HOST: row("127.0.0.1", host, "address of the operator listener"),
  ADMIN_PORT: row("9090", port, "port of the operator listener"),
  RAGLINE_WORKERS: { ...row(CORES, integer(1, 256), "cluster workers"), initially: "available cores" },
  RAGLINE_PATH_PREFIX: row("", pathPrefix, "put before every public path, e.g. `/v1/events`"),
  RAGLINE_STREAM_PREFIX: row("ragline:stream:", streamPrefix, "start of every stream's key"),
  RAGLINE_TOPICS: row("orders,notifications,system", list(topic, MAX_TOPICS), "streams read"),
  RAGLINE_PARTITIONS: row("16", integer(1, 1024), "partitions per topic, the same for every gateway and publisher"),
  RAGLINE_STREAM_MAXLEN: row(
    "100000",
    integer(0, undefined, "entries"),
    "kept by the publisher, about; 0 = never trim",
  ),
  JWT_SECRET_KEY: { ...optional(secret, "HMAC secret; this, the file or the URL below is required"), mask: () => MASK },
  JWT_PUBLIC_KEY_FILE: optional(file, "PEM public key or certificate: RSA from 2048 bits, EC P-256/384/521, Ed25519"),
  JWT_JWKS_URL: { ...optional(jwksUrl, "address of a JSON Web Key Set (RFC 7517)"), mask: maskUrls },
  JWT_ALGORITHMS: {
    ...optional(list(algorithm), "algorithms accepted; HMAC (HS…) not beside public-key ones"),
    initially: ALGORITHMS_DEFAULT,
  },
  JWT_ISSUER: optional(phrase, "`iss` that tokens must carry, checked when set"),
  JWT_AUDIENCE: optional(phrase, "`aud` that tokens must carry, checked when set"),
  JWT_TENANT_CLAIM: row("tenant_id", claim, "claim that names the tenant"),
  JWT_USER_CLAIM: row("user_id", claim, "claim that names the user; falls back to `sub`"),
  JWT_CLOCK_TOLERANCE: row("5", integer(0, 300, "seconds"), "allowed difference of clocks"),
  CORS_ORIGINS: row(
    "http://localhost:3000,http://localhost:8080",
    list(origin),
    "browser origins allowed for SSE, publish and WebSocket; `*` allows all",
  ),
  RAGLINE_MAX_CONNECTIONS: row("100000", integer(1), "connections per worker"),
  RAGLINE_MAX_CONNECTIONS_PER_TENANT: row("0", integer(0), "over the whole gateway; 0 = unlimited"),
  RAGLINE_MAX_CONNECTIONS_PER_USER: row("0", integer(0), "over the whole gateway; 0 = unlimited"),
  RAGLINE_CONNECT_RATE: row("2000", integer(1), "new connections per second and worker"),
  RAGLINE_CLIENT_MESSAGE_RATE: row("50", integer(1), "client messages per second and WebSocket"),
  RAGLINE_MAX_BUFFERED_BYTES: row("1048576", integer(16384, 1 << 30, "bytes"), "unsent per connection"),
  RAGLINE_STALL_SECONDS: row("30", integer(1, 3600, "seconds"), "until a connection that takes nothing is closed"),
  RAGLINE_HISTORY_BYTES: row("67108864", integer(0, undefined, "bytes"), "recent events in memory, per worker"),
  RAGLINE_RESUME_MAX_EVENTS: row("10000", integer(0, undefined, "events"), "most replayed to one connection"),
  RAGLINE_DRAIN_SECONDS: row("20", integer(0, 3600, "seconds"), "over which connections are sent away at a stop"),
  RAGLINE_TLS_CERT_FILE: optional(file, "PEM certificate chain of the public listener; both files or neither"),
  RAGLINE_TLS_KEY_FILE: optional(file, "its PEM private key, without passphrase"),
  LOG_LEVEL: row("info", level, "least level logged"),
  RAGLINE_CONSOLE: row("false", flag, "serves the console page at `/`"),
};

type Name = keyof typeof TABLE;
type Values = { [K in Name]: (typeof TABLE)[K] extends Kind<infer T> ? T : never };

const NAMES = Object.keys(TABLE) as Name[];
const PUBLISHER_NAMES = [
  ...(["REDIS_URL", "REDIS_MODE", "REDIS_SENTINEL_NAME", "RAGLINE_STREAM_PREFIX"] as const),
  ...(["RAGLINE_TOPICS", "RAGLINE_PARTITIONS", "RAGLINE_STREAM_MAXLEN"] as const),
];
const KEY_SOURCES = ["JWT_SECRET_KEY", "JWT_PUBLIC_KEY_FILE", "JWT_JWKS_URL"] as const;

/** The table as docs/settings.md shows it. */
export const settingRows = NAMES.map((name) => {
  const { initial, initially, expects, meaning } = TABLE[name] as Row<unknown>;
  return {
    name,
    initially: initially ?? (initial === undefined ? "–" : initial ? `\`${initial}\`` : "empty"),
    expects,
    meaning,
  };
});

// ---- reading ----

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
  return {
    redis: { urls, mode, ...(mode === "sentinel" && sentinelName && { sentinelName }) },
    streamPrefix: values.RAGLINE_STREAM_PREFIX,
    topics: values.RAGLINE_TOPICS,
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

/** What the key can verify, the usual algorithm first; nothing for a key too weak or of another kind (RFC 7518 §3, RFC 8037). */
function keyAlgorithms({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] {
  if (asymmetricKeyType === "rsa") return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 ? RSA_ALGORITHMS : [];
  if (asymmetricKeyType === "ed25519") return ["EdDSA"];
  const curves: Record<string, string[]> = { prime256v1: ["ES256"], secp384r1: ["ES384"], secp521r1: ["ES512"] };
  return curves[asymmetricKeyDetails?.namedCurve ?? ""] ?? [];
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
