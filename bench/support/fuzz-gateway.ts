import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, startPrivateRedis } from "../../src/cli/private-redis.ts";
import { signToken, type TokenClaims } from "../../src/pool/sign-token.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const SECRET = "a secret of the fuzz run, with more than 32 bytes";
const READY_WITHIN_MS = 20_000;
const SNAPSHOT_WITHIN_MS = 30_000;

/** What a worker process holds. */
export interface Footprint {
  readonly pid: number;
  readonly residentMib: number;
  /** What its JavaScript objects take that can still be reached. */
  readonly liveMib: number;
  readonly openFiles: number;
}

/** The built gateway, watched from outside: what it says, and what it holds. */
export interface WatchedGateway {
  readonly redisPort: number;
  readonly port: number;
  token(claims: Pick<TokenClaims, "tenant" | "roles">): string;
  output(): string;
  isReady(): Promise<boolean>;
  footprints(): Promise<Footprint[]>;
  /** Over all workers. */
  connections(): Promise<number>;
  stop(): Promise<void>;
}

interface Status {
  readonly workers: readonly { pid: number; connections: { sse: number; websocket: number } }[];
}

export async function startWatchedGateway(workers: number): Promise<WatchedGateway> {
  const redis = await startPrivateRedis();
  const [port, adminPort] = [await freePort(), await freePort()];
  const snapshots = mkdtempSync(join(tmpdir(), "ragline-fuzz-"));
  const env = {
    REDIS_URL: redis.url,
    HOST: "127.0.0.1",
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    JWT_SECRET_KEY: SECRET,
    RAGLINE_WORKERS: String(workers),
    RAGLINE_DRAIN_SECONDS: "0",
    LOG_LEVEL: "error",
    NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${snapshots}`,
  };
  const child = spawn(process.execPath, [MAIN], { env, stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => lines.push(text));
  const ask = (path: string) => fetch(`http://127.0.0.1:${adminPort}${path}`);
  const status = async () => (await (await ask("/status")).json()) as Status;
  const gateway: WatchedGateway = {
    redisPort: redis.port,
    port,
    token: (claims) => signToken(SECRET, { user: "fuzz", ttlSeconds: 3600, ...claims }),
    output: () => lines.join(""),
    isReady: () =>
      ask("/health/ready").then(
        (answer) => answer.ok,
        () => false,
      ),
    footprints: async () => Promise.all((await status()).workers.map(({ pid }) => footprintOf(pid, snapshots))),
    connections: async () =>
      (await status()).workers.reduce((sum, { connections }) => sum + connections.sse + connections.websocket, 0),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      await redis.stop();
      rmSync(snapshots, { recursive: true, force: true });
    },
  };
  if (await within(READY_WITHIN_MS, gateway.isReady)) return gateway;
  await gateway.stop();
  throw new Error(`the gateway did not become ready:\n${gateway.output()}`);
}

/** Whether `holds` came true in time. */
export async function within(ms: number, holds: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline) {
    if (await holds()) return true;
    await delay(100);
  }
  return false;
}

/** From /proc, so on Linux only; and from a heap snapshot, which comes after a garbage collection. */
async function footprintOf(pid: number, snapshots: string): Promise<Footprint> {
  const [, residentKib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
  const openFiles = readdirSync(`/proc/${pid}/fd`).length;
  let live: number | null = null;
  process.kill(pid, "SIGUSR2");
  await within(SNAPSHOT_WITHIN_MS, async () => {
    live = readSnapshot(pid, snapshots);
    return live !== null;
  });
  if (live === null) throw new Error(`worker ${pid} gave no heap snapshot`);
  return { pid, residentMib: mib(Number(residentKib) * 1024), liveMib: mib(live), openFiles };
}

interface Snapshot {
  readonly snapshot: { readonly meta: { readonly node_fields: readonly string[] } };
  readonly nodes: readonly number[];
}

/** @returns bytes of all objects; null while the snapshot is not whole. */
function readSnapshot(pid: number, folder: string): number | null {
  const file = readdirSync(folder).find((name) => name.split(".").includes(String(pid)));
  if (file === undefined) return null;
  const path = join(folder, file);
  const text = readFileSync(path, "utf8");
  if (!text.trimEnd().endsWith("}")) return null;
  const { snapshot, nodes } = JSON.parse(text) as Snapshot;
  rmSync(path);
  const { node_fields: fields } = snapshot.meta;
  let bytes = 0;
  for (let i = fields.indexOf("self_size"); i < nodes.length; i += fields.length) bytes += nodes[i]!;
  return bytes;
}

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
