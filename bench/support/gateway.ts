import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, startPrivateRedis } from "../../src/cli/private-redis.ts";
import { signToken } from "../../src/pool/sign-token.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const SECRET = "a secret of the benchmark, with more than 32 bytes";
const READY_WITHIN_MS = 15_000;

/** The built gateway with a Redis of its own, in processes of their own. */
export interface BenchGateway {
  readonly redisPort: number;
  readonly port: number;
  token(tenant: string): string;
  stop(): Promise<void>;
}

export async function startBenchGateway(workers: number): Promise<BenchGateway> {
  const redis = await startPrivateRedis();
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = {
    PATH: process.env.PATH,
    REDIS_URL: redis.url,
    HOST: "127.0.0.1",
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    JWT_SECRET_KEY: SECRET,
    RAGLINE_WORKERS: String(workers),
    RAGLINE_DRAIN_SECONDS: "0",
    LOG_LEVEL: "error",
  };
  const child = spawn(process.execPath, [MAIN], { env, stdio: ["ignore", "inherit", "inherit"] });
  const stop = async () => {
    await end(child);
    await redis.stop();
  };
  try {
    await whenReady(`http://127.0.0.1:${adminPort}/health/ready`, child);
  } catch (error) {
    await stop();
    throw error;
  }
  const token = (tenant: string) => signToken(SECRET, { tenant, user: "bench", ttlSeconds: 3600 });
  return { redisPort: redis.port, port, token, stop };
}

async function whenReady(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.status === 200) return;
    await delay(50);
  }
  throw new Error("the gateway did not become ready");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}
