import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchOptions, Report } from "./support/benchmark.ts";
import { planConnections } from "./support/connection-plans.ts";
import { cores, coresLine, moveToClientCores } from "./support/cores.ts";
import type { FeedPlan } from "./support/feed-messages.ts";
import { startGateway } from "./support/gateway.ts";
import { Generators } from "./support/generators.ts";
import type { ConnectionPlan } from "./support/load-messages.ts";
import { median } from "./support/measure.ts";
import { assertOpenFiles, cpuSeconds } from "./support/process-usage.ts";
import { BELIEF_NOTE, beliefColumns, problemsOf, type Rounds, roundsOf, threeDigits } from "./support/rounds.ts";
import { type Stage, withStage } from "./support/stage.ts";
import { tenantName } from "./support/stamp.ts";
import { type Signer, signers } from "./support/token-signers.ts";
import { runTrial, sum, type Trial } from "./support/trial.ts";

export const question = "How many clients can connect a second, by kind of token, and what do live events feel of it?";

const FULL = { connections: 3_000, warmUp: 500, runs: 3, liveSeconds: 2 };
const QUICK: typeof FULL = { connections: 300, warmUp: 100, runs: 1, liveSeconds: 0.5 };
/** Those who are connected already, and the events they get meanwhile. */
const LIVE = { connections: 100, rate: 50 };
const LEAST_EVENTS = 10;
/** They have tenants of their own, so that what is measured of them is the events. */
const ARRIVALS = { firstTenant: 1, tenants: 100 };
const FEED: FeedPlan = {
  form: "compact",
  streams: "partitioned",
  payloadBytes: 256,
  lanes: [{ firstTenant: 0, tenants: 1, weight: 1 }],
};

export async function run({ quick }: BenchOptions): Promise<Report> {
  const effort = quick ? QUICK : FULL;
  assertOpenFiles(effort.connections + LIVE.connections);
  const problems: string[] = [];
  const rows = [];
  moveToClientCores();
  const newcomers = new Generators();
  for (const signer of signers()) {
    const found = await measure(newcomers, signer, effort);
    problems.push(...problemsOf(`${signer.algorithm}, before`, found.before));
    problems.push(...problemsOf(`${signer.algorithm}, meanwhile`, found.meanwhile));
    rows.push(rowOf(signer.algorithm, effort.connections, found));
  }
  const notes = [
    coresLine(),
    BELIEF_NOTE,
    `one gateway, workers: ${cores.servers.length}; ${effort.connections} connections, half SSE and half WebSocket, of ${ARRIVALS.tenants} tenants, each with a token never seen before, as fast as the generators get them greeted`,
    `live: ${LIVE.rate} events/s to ${LIVE.connections} WebSockets of another tenant, from XADD to receipt, before and while the others connect; every delivery counted and in turn`,
    `CPU/connection: of all server processes, µs, without what the live events cost before; medians of ${effort.runs} runs after one of ${effort.warmUp} connections to warm up`,
  ];
  return { tables: [{ title: "connecting", rows }], notes, problems };
}

interface Arrival {
  readonly seconds: number;
  /** CPU seconds of all server processes, what live events took included. */
  readonly serverCpu: number;
  /** The live events meanwhile. */
  readonly trial: Trial;
}

interface Found {
  readonly before: Rounds;
  readonly meanwhile: Rounds;
  readonly arrivals: readonly Arrival[];
}

async function measure(newcomers: Generators, signer: Signer, effort: typeof FULL): Promise<Found> {
  const directory = mkdtempSync(join(tmpdir(), "ragline-bench-"));
  const settings = settingsOf(signer, directory);
  const workers = cores.servers.length;
  const start = async ({ url }: { url: string }) => [await startGateway({ redisUrl: url, workers, settings })];
  try {
    return await withStage({ start, feed: FEED }, async (stage) => {
      const { port } = stage.servers[0]!;
      const token = (tenant: number) => signer.token(tenantName(tenant), "live");
      await stage.generators.open(planConnections({ port, count: LIVE.connections, transports: ["websocket"], token }));
      return measureArrivals(stage, newcomers, signer, effort);
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function measureArrivals(
  stage: Stage,
  newcomers: Generators,
  signer: Signer,
  { warmUp, runs, liveSeconds, connections }: typeof FULL,
): Promise<Found> {
  let last = await arrive(stage, newcomers, plansFor(stage, signer, warmUp), liveSeconds);
  const before: Trial[] = [];
  for (let run = 0; run < runs; run++) before.push(await live(stage, liveSeconds));
  const arrivals: Arrival[] = [];
  let guess = (last.seconds / warmUp) * connections;
  for (let run = 0; run < runs; run++) {
    last = await arrive(stage, newcomers, plansFor(stage, signer, connections), guess);
    guess = last.seconds;
    arrivals.push(last);
  }
  return { before: roundsOf(before), meanwhile: roundsOf(arrivals.map(({ trial }) => trial)), arrivals };
}

/** Each with a token of its own. */
function plansFor({ servers }: Stage, signer: Signer, count: number): ConnectionPlan[] {
  const { port } = servers[0]!;
  const plans = planConnections({ port, count, transports: ["sse", "websocket"], ...ARRIVALS, token: () => "" });
  return plans.map((plan) => ({ ...plan, token: signer.token(tenantName(plan.tenant), `user-${users++}`) }));
}

/** @param guess seconds it is likely to take, over which there are live events. */
async function arrive(
  stage: Stage,
  newcomers: Generators,
  plans: readonly ConnectionPlan[],
  guess: number,
): Promise<Arrival> {
  const pids = stage.servers.flatMap((server) => server.pids);
  const usage = () => ({ at: performance.now() / 1e3, cpu: sum(pids.map(cpuSeconds)) });
  const open = async () => {
    const before = usage();
    await newcomers.open(plans);
    const after = usage();
    return { seconds: after.at - before.at, serverCpu: after.cpu - before.cpu };
  };
  const [trial, opened] = await Promise.all([live(stage, guess, newcomers.pids), open()]);
  await newcomers.closeConnections();
  return { ...opened, trial };
}

let users = 0;

function live(stage: Stage, seconds: number, alsoGenerating: readonly number[] = []): Promise<Trial> {
  const events = Math.max(LEAST_EVENTS, Math.round(LIVE.rate * seconds));
  return runTrial(stage, {
    rate: LIVE.rate,
    events,
    expectedDeliveries: events * LIVE.connections,
    alsoGenerating,
  });
}

function rowOf(token: string, connections: number, { before, meanwhile, arrivals }: Found) {
  const liveCpuPerSecond = before.median(({ serverCpu, seconds }) => serverCpu / seconds);
  const cpu = median(arrivals.map(({ serverCpu, seconds }) => serverCpu - liveCpuPerSecond * seconds));
  return {
    token,
    "connections/s": Math.round(connections / median(arrivals.map(({ seconds }) => seconds))),
    "CPU/connection": Math.round((cpu * 1e6) / connections),
    "live p99 ms before": threeDigits(before.median(({ latency }) => latency.p99)),
    "live p99 ms": threeDigits(meanwhile.median(({ latency }) => latency.p99)),
    "live max ms": threeDigits(meanwhile.median(({ latency }) => latency.max)),
    ...beliefColumns(meanwhile),
  };
}

function settingsOf({ algorithm, rules }: Signer, directory: string): Record<string, string> {
  if (rules.publicKey === undefined) return { JWT_SECRET_KEY: rules.secret!, JWT_ALGORITHMS: algorithm };
  const file = join(directory, "public.pem");
  writeFileSync(file, rules.publicKey);
  return { JWT_PUBLIC_KEY_FILE: file, JWT_ALGORITHMS: algorithm };
}
