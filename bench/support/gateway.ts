import type { ChildProcess } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../src/cli/private-redis.ts";
import { signToken } from "../../src/pool/sign-token.ts";
import { endServer, type Server, spawnServer } from "./server.ts";
import { tenantName } from "./stamp.ts";
import { SECRET } from "./token-signers.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const READY_WITHIN_MS = 20_000;

/** The built gateway, in processes of its own: the primary first, then the workers. */
export interface BenchGateway extends Server {
  /** Address of the operator listener. */
  readonly admin: string;
  readonly workerPids: readonly number[];
  /** Of each worker, as it last reported them: up to a second ago. */
  connections(): Promise<number[]>;
}

export interface GatewayOptions {
  readonly redisUrl: string;
  readonly workers: number;
  /** Settings beside those of every benchmark. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Gets what it logs; without it, that goes where our own output goes. */
  readonly onLog?: (text: string) => void;
}

interface Status {
  workers: { pid: number; connections: { sse: number; websocket: number } }[];
}

export async function startGateway(options: GatewayOptions): Promise<BenchGateway> {
  const { redisUrl, workers, settings, onLog } = options;
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = {
    REDIS_URL: redisUrl,
    HOST: "127.0.0.1",
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    RAGLINE_WORKERS: String(workers),
    RAGLINE_CONNECT_RATE: "1000000",
    RAGLINE_DRAIN_SECONDS: "0",
    LOG_LEVEL: "error",
    ...(settings ?? { JWT_SECRET_KEY: SECRET }),
  };
  const child = spawnServer([MAIN], env, onLog);
  const admin = `http://127.0.0.1:${adminPort}`;
  try {
    await whenReady(`${admin}/health/ready`, child);
    const status = async () => (await (await fetch(`${admin}/status`)).json()) as Status;
    const workerPids = (await status()).workers.map(({ pid }) => pid);
    const connections = async () =>
      (await status()).workers.map((worker) => worker.connections.sse + worker.connections.websocket);
    return { admin, port, pids: [child.pid!, ...workerPids], workerPids, connections, stop: () => endServer(child) };
  } catch (error) {
    await endServer(child);
    throw error;
  }
}

/** A token of the k-th tenant, for a gateway that was given no other key. */
export function tokenOf(tenant: number): string {
  return signToken(SECRET, { tenant: tenantName(tenant), user: "bench", ttlSeconds: 3600 });
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
