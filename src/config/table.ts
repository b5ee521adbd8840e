import { availableParallelism } from "node:os";
import { HMAC_ALGORITHMS, JWKS_ALGORITHMS, PUBLIC_KEY_ALGORITHMS } from "./algorithms.js";
import {
  integer,
  isHost,
  isJwksUrl,
  isOrigin,
  isRedisUrl,
  type Kind,
  list,
  MASK,
  maskUrls,
  oneOf,
  text,
} from "./kinds.js";

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

/** One environment variable. */
export interface Row<T> extends Kind<T> {
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

export const TABLE = {
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
  RAGLINE_PUBLISH_RATE: row("0", integer(0), "events per second and tenant by `POST /publish`; 0 = unlimited"),
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

export type Name = keyof typeof TABLE;
export type Values = { [K in Name]: (typeof TABLE)[K] extends Kind<infer T> ? T : never };

export const NAMES = Object.keys(TABLE) as Name[];
export const PUBLISHER_NAMES = [
  ...(["REDIS_URL", "REDIS_MODE", "REDIS_SENTINEL_NAME", "RAGLINE_STREAM_PREFIX"] as const),
  ...(["RAGLINE_TOPICS", "RAGLINE_PARTITIONS", "RAGLINE_STREAM_MAXLEN"] as const),
];
export const KEY_SOURCES = ["JWT_SECRET_KEY", "JWT_PUBLIC_KEY_FILE", "JWT_JWKS_URL"] as const;

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
