import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import type { Command } from "commander";
import { gatewayEnvironment, loadSettings } from "../config.js";
import { signToken } from "../pool/sign-token.js";
import { createPublisher } from "../publisher/index.js";
import { startFeeder } from "./demo-feeder.js";
import { requireFreePort, startGateway } from "./demo-gateway.js";
import { type DemoTenant, demoText } from "./demo-text.js";
import { ensureRedis } from "./redis-server.js";

const TOKEN_TTL_SECONDS = 24 * 3600;
const USERS = [
  { tenant: "acme", user: "alice" },
  { tenant: "globex", user: "bob" },
];
const PARENT_CHECK_MS = 500;

export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .description("Run a gateway with two tenants, their events and a console, and everything it needs.")
    .addHelpText("after", EXAMPLES)
    .action(runDemo);
}

async function runDemo(): Promise<void> {
  const ending = endOfDemo();
  const environment = demoEnvironment();
  const settings = loadSettings(environment);
  await requireFreePort(settings.host, settings.port, "PORT");
  await requireFreePort(settings.adminHost, settings.adminPort, "ADMIN_PORT");

  const redis = await ensureRedis({ demo: true, redisUrl: environment.REDIS_URL ?? "", log: console.log });
  const stops = [redis.stop];
  try {
    const base = `http://${reachable(settings.host)}:${settings.port}${settings.pathPrefix}`;
    const gateway = startGateway({ ...environment, REDIS_URL: redis.url });
    stops.unshift(gateway.stop);
    await gateway.whenHealthy(`${base}/health`, ending);
    if (ending.aborted) return;

    const { streamPrefix, topics, partitions, streamMaxLen } = settings;
    const publisher = createPublisher({ redisUrl: redis.url, streamPrefix, topics, partitions, streamMaxLen });
    const feeder = startFeeder(publisher, USERS, console.error);
    stops.unshift(feeder.stop, publisher.close);
    const tenants = USERS.map(({ tenant, user }): DemoTenant => {
      const claims = { tenant, user, roles: ["publisher"], ttlSeconds: TOKEN_TTL_SECONDS };
      return { tenant, token: signToken(settings.jwt.secret!, claims, settings.jwt) };
    });
    console.log(demoText(base, tenants, redis.how));
    if (!ending.aborted) await Promise.race([once(ending, "abort"), gateway.failed]);
  } finally {
    for (const stop of stops) await stop();
  }
}

/** Aborts on Ctrl-C, when asked to end, and when whoever started the demo has ended. A second Ctrl-C ends at once. */
function endOfDemo(): AbortSignal {
  const ending = new AbortController();
  const end = () => ending.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, end);
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && end(), PARENT_CHECK_MS);
  watch.unref();
  return ending.signal;
}

/** The settings given, but the demo's own tokens and topics, without TLS, with the console and its origins. */
function demoEnvironment(): NodeJS.ProcessEnv {
  const environment = gatewayEnvironment(DEMO_SETTINGS, {
    JWT_SECRET_KEY: randomBytes(32).toString("base64url"),
    LOG_LEVEL: "warn",
    RAGLINE_DRAIN_SECONDS: "1",
  });
  const { PORT: port = "8080", HOST: host = "", CORS_ORIGINS: given = "" } = environment;
  const own = ["localhost", "127.0.0.1", reachable(host)].map((name) => `http://${name}:${port}`);
  const origins = given.split(",").filter((origin) => origin !== "");
  return { ...environment, CORS_ORIGINS: [...new Set([...origins, ...own])].join(",") };
}

/** Empty: unset. */
const DEMO_SETTINGS = {
  JWT_PUBLIC_KEY_FILE: "",
  JWT_JWKS_URL: "",
  JWT_ALGORITHMS: "",
  JWT_ISSUER: "",
  JWT_AUDIENCE: "",
  JWT_TENANT_CLAIM: "",
  JWT_USER_CLAIM: "",
  RAGLINE_TLS_CERT_FILE: "",
  RAGLINE_TLS_KEY_FILE: "",
  RAGLINE_TOPICS: "",
  RAGLINE_CONSOLE: "true",
};

/** The host of a URL that reaches a listener on `host`. */
function reachable(host: string): string {
  if (["", "0.0.0.0", "::"].includes(host)) return "localhost";
  return isIPv6(host) ? `[${host}]` : host;
}

const EXAMPLES = `
It uses the Redis of REDIS_URL, else one that answers on 127.0.0.1:6379, else a private one that ends with the demo.
The gateway takes the settings of the environment, but makes its own tokens. Ctrl-C ends everything it started.

Examples:
  ragline-gateway demo
  PORT=18080 ADMIN_PORT=19090 ragline-gateway demo`;
