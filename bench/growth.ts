import { setTimeout as delay } from "node:timers/promises";
import type { BenchOptions, Report, Table } from "./support/benchmark.ts";
import { planConnections } from "./support/connection-plans.ts";
import { coresLine } from "./support/cores.ts";
import type { FeedPlan } from "./support/feed-messages.ts";
import { type BenchGateway, startGateway, tokenOf } from "./support/gateway.ts";
import { median } from "./support/measure.ts";
import { assertOpenFiles, cpuSeconds, memoryOf, type ProcessMemory } from "./support/process-usage.ts";
import { BELIEF_NOTE, beliefColumns, problemsOf, type Rounds, repeat, threeDigits } from "./support/rounds.ts";
import { type Stage, withStage } from "./support/stage.ts";
import { runTrial, sum } from "./support/trial.ts";

export const question = "Do memory and CPU per event stay the same however many tenants there are?";

const WORKERS = 2;
/** Tenants with subscribers, the same in every row, so that every row has the same deliveries per event. */
const HOT = { tenants: 10, connectionsEach: 10 };
const HOT_CONNECTIONS = HOT.tenants * HOT.connectionsEach;
/** Of ten events, one is for a tenant with subscribers. */
const WEIGHTS = { hot: 1, cold: 9 };

interface Effort {
  readonly tenants: readonly number[];
  /** Events per second, all tenants together. */
  readonly rate: number;
  readonly seconds: number;
  readonly runs: number;
  readonly idleConnections: number;
  readonly idleTenants: readonly number[];
  readonly idleSeconds: number;
}

const FULL: Effort = {
  tenants: [1, 100, 10_000, 100_000],
  rate: 6_000,
  seconds: 6,
  runs: 3,
  idleConnections: 10_000,
  idleTenants: [100, 10_000],
  idleSeconds: 8,
};
const QUICK: Effort = {
  tenants: [100, 10_000],
  rate: 6_000,
  seconds: 1,
  runs: 1,
  idleConnections: 1_000,
  idleTenants: [10, 1_000],
  idleSeconds: 2,
};
/** What may differ between the row of 100 tenants and the last one. */
const FLAT = 1.3;

export async function run({ quick }: BenchOptions): Promise<Report> {
  const effort = quick ? QUICK : FULL;
  assertOpenFiles(effort.idleConnections + HOT_CONNECTIONS);
  const problems: string[] = [];
  const rows: Awaited<ReturnType<typeof measureTenants>>[] = [];
  for (const tenants of effort.tenants) rows.push(await measureTenants(tenants, effort, problems));
  const idle: Awaited<ReturnType<typeof measureIdle>>[] = [];
  for (const tenants of effort.idleTenants) idle.push(await measureIdle(tenants, effort, problems));

  const reference = rows.find((row) => row.tenants === 100)!;
  const largest = rows.at(-1)!;
  const verdict = (what: "RSS MiB" | "heap MiB" | "CPU/event") => {
    const ratio = largest[what] / reference[what];
    return `${what} of ${largest.tenants} to 100 tenants: ${ratio.toFixed(2)}, ${ratio <= FLAT ? "flat" : "NOT FLAT"} (at most ${FLAT})`;
  };
  const [few, many] = [idle[0]!, idle.at(-1)!];
  const bytesPerTenant = ((many["RSS MiB"] - few["RSS MiB"]) * 2 ** 20) / (many.tenants - few.tenants);
  const tables: Table[] = [
    {
      title: `tenants without subscribers, beside ${HOT.tenants} with ${HOT.connectionsEach} connections each; ${effort.rate} events/s in all`,
      rows,
    },
    { title: `the same ${effort.idleConnections} idle WebSockets, spread over few or many tenants`, rows: idle },
  ];
  const notes = [
    coresLine(),
    BELIEF_NOTE,
    `${WORKERS} workers; memory is the sum over the workers, from /proc: RSS, and heap, the part no file stands behind (JavaScript and C); CPU of all server processes, µs, Redis apart`,
    `every row has the same deliveries per event: one event in ten belongs to a tenant with subscribers, the others to the tenants of the row, one after the other, which nobody listens to. So only the number of tenants differs`,
    "every tenant of a row had its event at least once before the last run, but with --quick",
    "the second table is what a tenant costs that is connected and silent: connections and events to others are the same in both rows",
    `medians of ${effort.runs} runs after one to warm up; every delivery counted and in turn`,
    ...(["RSS MiB", "heap MiB", "CPU/event"] as const).map(verdict),
    `an idle connected tenant, beyond its connection: ${Math.round(bytesPerTenant)} bytes of RSS over both workers`,
  ];
  return { tables, notes, problems };
}

async function measureTenants(tenants: number, { rate, seconds, runs }: Effort, problems: string[]) {
  const lanes = [
    { firstTenant: 0, tenants: HOT.tenants, weight: WEIGHTS.hot },
    { firstTenant: HOT.tenants, tenants, weight: WEIGHTS.cold },
  ];
  return onStage({ form: "fields", streams: "partitioned", payloadBytes: 256, lanes }, async (stage) => {
    await openHot(stage);
    const rounds = await measureEvents(stage, rate, seconds, runs);
    problems.push(...problemsOf(`${tenants} tenants`, rounds));
    return { tenants, ...(await memoryColumns(stage)), ...eventColumns(rounds) };
  });
}

async function measureIdle(tenants: number, effort: Effort, problems: string[]) {
  const { idleConnections, idleSeconds, rate, seconds, runs } = effort;
  const lanes = [{ firstTenant: 0, tenants: HOT.tenants, weight: 1 }];
  return onStage({ form: "fields", streams: "partitioned", payloadBytes: 256, lanes }, async (stage) => {
    const [server] = stage.servers;
    await stage.generators.open(
      planConnections({
        port: server!.port,
        count: idleConnections,
        transports: ["websocket"],
        firstTenant: HOT.tenants,
        tenants,
        token: tokenOf,
      }),
    );
    const memory = await memoryColumns(stage);
    const idleCpu = await idleCpuPercent(stage, idleSeconds);
    await openHot(stage);
    const rounds = await measureEvents(stage, rate / 10, seconds / 2, runs);
    problems.push(...problemsOf(`${tenants} idle tenants`, rounds));
    return {
      tenants,
      "connections each": idleConnections / tenants,
      ...memory,
      "idle CPU %": idleCpu,
      ...eventColumns(rounds),
    };
  });
}

function onStage<Result>(feed: FeedPlan, use: (stage: Stage<BenchGateway>) => Promise<Result>): Promise<Result> {
  const start = async ({ url }: { url: string }) => [await startGateway({ redisUrl: url, workers: WORKERS })];
  return withStage({ start, feed }, use);
}

async function openHot({ servers, generators }: Stage): Promise<void> {
  const { port } = servers[0]!;
  await generators.open(
    planConnections({
      port,
      count: HOT_CONNECTIONS,
      transports: ["sse", "websocket"],
      tenants: HOT.tenants,
      token: tokenOf,
    }),
  );
}

function measureEvents(stage: Stage, rate: number, seconds: number, runs: number): Promise<Rounds> {
  const events = rate * seconds;
  return repeat(runs, () => runTrial(stage, { rate, events, expectedDeliveries: events * HOT.connectionsEach }));
}

const MEMORY_SAMPLES = 10;
const MEMORY_SAMPLE_MS = 200;

/** The median over two seconds, because the collector comes and goes. */
async function memoryColumns({ servers }: Stage<BenchGateway>) {
  const pids = servers.flatMap(({ workerPids }) => workerPids);
  const samples: ProcessMemory[][] = [];
  for (let i = 0; i < MEMORY_SAMPLES; i++) {
    await delay(MEMORY_SAMPLE_MS);
    samples.push(pids.map(memoryOf));
  }
  const mebibytes = (of: "resident" | "heap") =>
    threeDigits(median(samples.map((sample) => sum(sample.map((memory) => memory[of])))) / 2 ** 20);
  return { "RSS MiB": mebibytes("resident"), "heap MiB": mebibytes("heap") };
}

function eventColumns(rounds: Rounds) {
  return {
    "deliveries/event": threeDigits(rounds.median(({ deliveries, events }) => deliveries / events)),
    "CPU/event": threeDigits(rounds.median(({ serverCpu, events }) => (serverCpu * 1e6) / events)),
    "Redis/event": threeDigits(rounds.median(({ redisCpu, events }) => (redisCpu * 1e6) / events)),
    "p99 ms": threeDigits(rounds.median(({ latency }) => latency.p99)),
    ...beliefColumns(rounds),
  };
}

async function idleCpuPercent({ servers }: Stage<BenchGateway>, seconds: number): Promise<number> {
  const pids = servers.flatMap((server) => server.pids);
  const before = sum(pids.map(cpuSeconds));
  await delay(seconds * 1e3);
  return threeDigits(((sum(pids.map(cpuSeconds)) - before) / seconds) * 100);
}
