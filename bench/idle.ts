import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { BenchOptions, Report } from "./support/benchmark.ts";
import { planConnections } from "./support/connection-plans.ts";
import { coresLine } from "./support/cores.ts";
import type { FeedPlan } from "./support/feed-messages.ts";
import { type BenchGateway, startGateway, tokenOf } from "./support/gateway.ts";
import type { ConnectionPlan } from "./support/load-messages.ts";
import { median } from "./support/measure.ts";
import { assertOpenFiles, cpuSeconds, memoryOf } from "./support/process-usage.ts";
import { problemsOf, roundsOf, threeDigits } from "./support/rounds.ts";
import { type Stage, withStage } from "./support/stage.ts";
import { runTrial, sum } from "./support/trial.ts";

export const question = "What does an idle connection cost: memory of the worker, memory of the kernel, CPU?";

const FULL = { connections: 10_000, idleSeconds: 10, runs: 3 };
const QUICK: typeof FULL = { connections: 1_000, idleSeconds: 2, runs: 1 };
const FEED: FeedPlan = {
  form: "lean",
  streams: "partitioned",
  payloadBytes: 256,
  lanes: [{ firstTenant: 0, tenants: 1, weight: 1 }],
};
const SETTLE_MS = 2_000;
/** What is open before the measurement, so that code and first buffers are not counted as connections. */
const WARM_UP = 200;
const KIB = 1024;

interface Footprint {
  readonly resident: number;
  readonly heap: number;
  readonly slab: number;
  readonly socketBuffers: number;
}

export async function run({ quick }: BenchOptions): Promise<Report> {
  const effort = quick ? QUICK : FULL;
  assertOpenFiles(effort.connections + WARM_UP);
  const problems: string[] = [];
  const rows = [];
  for (const transport of ["sse", "websocket"] as const) {
    const runs: Awaited<ReturnType<typeof measure>>[] = [];
    for (let i = 0; i < effort.runs; i++) runs.push(await measure(transport, effort));
    problems.push(...runs.flatMap((one) => one.problems.map((problem) => `${transport}: ${problem}`)));
    const of = (name: keyof Footprint | "cpuPercent") => threeDigits(median(runs.map((one) => one[name])));
    rows.push({
      transport: transport === "sse" ? "SSE" : "WebSocket",
      connections: effort.connections,
      "RSS KiB": of("resident"),
      "heap KiB": of("heap"),
      "kernel slab KiB": of("slab"),
      "kernel buffers KiB": of("socketBuffers"),
      "idle CPU %": of("cpuPercent"),
    });
  }
  const notes = [
    coresLine(),
    `one worker, one tenant; each figure for one connection, but CPU: of all server processes with all connections open, share of a core; medians of ${effort.runs} runs, a fresh gateway each`,
    "RSS and heap: growth of the worker, from /proc; heap is the part no file stands behind, of JavaScript and C together. What connecting left for the collector is still in it",
    "kernel slab: growth of /proc/meminfo's Slab for one of the two sockets each connection has on this machine; buffers: likewise of TCP's mem in /proc/net/sockstat. Both are the whole machine's",
    "at the end every connection gets one event, to prove that it was alive",
  ];
  return { tables: [{ title: `${effort.connections} idle connections`, rows }], notes, problems };
}

function measure(transport: ConnectionPlan["transport"], { connections, idleSeconds }: typeof FULL) {
  const start = async ({ url }: { url: string }) => [await startGateway({ redisUrl: url, workers: 1 })];
  return withStage({ start, feed: FEED }, async (stage) => {
    await open(stage, transport, WARM_UP);
    await delay(SETTLE_MS);
    const before = footprint(stage);
    await open(stage, transport, connections);
    await delay(SETTLE_MS);
    const after = footprint(stage);
    const cpuPercent = await idleCpuPercent(stage, idleSeconds);
    const last = await runTrial(stage, { rate: 1, events: 1, expectedDeliveries: connections });
    const each = (name: keyof Footprint) => (after[name] - before[name]) / connections / KIB;
    return {
      resident: each("resident"),
      heap: each("heap"),
      slab: each("slab") / 2,
      socketBuffers: each("socketBuffers") / 2,
      cpuPercent,
      problems: problemsOf("alive", roundsOf([last])),
    };
  });
}

async function open({ servers, generators }: Stage, transport: ConnectionPlan["transport"], count: number) {
  const { port } = servers[0]!;
  await generators.open(planConnections({ port, count, transports: [transport], token: tokenOf }));
}

function footprint({ servers }: Stage<BenchGateway>): Footprint {
  const { resident, heap } = memoryOf(servers[0]!.workerPids[0]!);
  const slab = Number(/^Slab:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "latin1"))?.[1]) * KIB;
  const pages = Number(/^TCP: .* mem (\d+)/m.exec(readFileSync("/proc/net/sockstat", "latin1"))?.[1]);
  return { resident, heap, slab, socketBuffers: pages * PAGE_BYTES };
}

const PAGE_BYTES = 4096;

async function idleCpuPercent({ servers }: Stage, seconds: number): Promise<number> {
  const pids = servers.flatMap((server) => server.pids);
  const before = sum(pids.map(cpuSeconds));
  await delay(seconds * 1e3);
  return ((sum(pids.map(cpuSeconds)) - before) / seconds) * 100;
}
