import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";
import { signToken } from "../../src/pool/sign-token.ts";
import { freePort } from "./free-port.ts";
import { launch } from "./launch.ts";
import { request } from "./request.ts";
import { until } from "./until.ts";

export interface TokenRequest {
  readonly tenant: string;
  readonly user?: string;
  readonly roles?: readonly string[];
  /** Seconds. */
  readonly ttl?: number;
}

export interface GatewayOptions {
  readonly redis: { readonly url: string };
  readonly env?: Readonly<Record<string, string>>;
  readonly workers?: number;
  /** A free one by default. */
  readonly port?: number;
  /** The HMAC secret, for a second gateway that takes the tokens of the first. */
  readonly secret?: string;
  /** Resolve at once, and not when the gateway answers that it is healthy. */
  readonly unawaited?: boolean;
}

export interface Gateway {
  /** Of the public listener, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string;
  readonly secret: string;
  readonly process: ChildProcess;
  /** Everything it wrote so far, to either stream. */
  output(): string;
  token(request: TokenRequest): string;
  /** A token made elsewhere, which must not appear in the output either. */
  watch(token: string): string;
  /** SIGTERM. @returns the exit code, null when it had to be killed. */
  stop(): Promise<number | null>;
}

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const READY_WITHIN_MS = 40_000;
const SHOWN_ON_FAILURE = 20;

/**
 * A gateway of the test's own, with nothing of our environment. It ends with the test, which fails when one of its
 * tokens or the secret shows up in the output.
 */
export async function startGateway(t: Test, options: GatewayOptions): Promise<Gateway> {
  const secret = options.secret ?? randomBytes(32).toString("hex");
  const [port, adminPort] = [options.port ?? (await freePort()), await freePort()];
  const env = {
    REDIS_URL: options.redis.url,
    HOST: "127.0.0.1",
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    JWT_SECRET_KEY: secret,
    RAGLINE_WORKERS: String(options.workers ?? 2),
    RAGLINE_DRAIN_SECONDS: "2",
    LOG_LEVEL: "debug",
    ...options.env,
  };
  const { child, output, stop } = launch([MAIN], env);
  const secrets = new Set([secret]);
  const watch = (token: string) => {
    secrets.add(token);
    return token;
  };
  t.teardown(async () => {
    await stop();
    if (!t.passing()) console.error(troubles(output()));
    if ([...secrets].some((text) => output().includes(text))) fail(t, "a token or the secret is in the output");
  });
  const gateway: Gateway = {
    url: `http://127.0.0.1:${port}`,
    port,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    secret,
    process: child,
    output,
    token: ({ tenant, user = "user-1", roles = [], ttl = 3600 }) =>
      watch(signToken(secret, { tenant, user, roles, ttlSeconds: ttl })),
    watch,
    stop,
  };
  if (options.unawaited !== true) await whenHealthy(gateway);
  return gateway;
}

/** Resolves once the public listener is healthy, and the operator listener says that every worker delivers. */
export async function whenHealthy({ url, adminUrl, process, output }: Gateway): Promise<void> {
  const answers = async (address: string) => {
    if (process.exitCode !== null) throw new Error(`the gateway exited with ${process.exitCode}:\n${output()}`);
    return request(address).then(
      ({ status }) => status === 200,
      () => false,
    );
  };
  try {
    await until("health 200", () => answers(`${url}/health`), READY_WITHIN_MS);
    await until("readiness 200", () => answers(`${adminUrl}/health/ready`), READY_WITHIN_MS);
  } catch (error) {
    throw new Error(`${(error as Error).message}; the gateway said:\n${output().slice(-4000)}`);
  }
}

/** What it logged last as a warning or worse, each kind once, and all that is no log line. */
function troubles(output: string): string {
  const lines = output.split("\n").filter((line) => !/^\{"level":[123]0,/.test(line));
  const kinds = new Map(lines.map((line) => [line.replace(/\d+/g, ""), line.slice(0, 1_000)]));
  return [...kinds.values()].slice(-SHOWN_ON_FAILURE).join("\n");
}

/** Also after the test's end, where tap no longer listens. */
function fail(t: Test, message: string): void {
  t.fail(message);
  console.error(message);
  process.exitCode = 1;
}
