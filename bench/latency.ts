import type { BenchOptions, Report } from "./support/benchmark.ts";
import { planConnections } from "./support/connection-plans.ts";
import { coresLine } from "./support/cores.ts";
import type { FeedPlan } from "./support/feed-messages.ts";
import { startGateway, tokenOf } from "./support/gateway.ts";
import type { ConnectionPlan } from "./support/load-messages.ts";
import { findMost, LIMIT_P99_MS } from "./support/most.ts";
import { startReference } from "./support/reference.ts";
import { BELIEF_NOTE, beliefColumns, problemsOf, type Rounds, repeat, threeDigits } from "./support/rounds.ts";
import type { Server } from "./support/server.ts";
import { type Stage, withStage } from "./support/stage.ts";
import { runTrial } from "./support/trial.ts";

export const question = "How long from XADD to receipt, almost idle and at 10, 50 and 80 % of the most it can do?";

const WORKERS = 2;
const FEED: FeedPlan = {
  form: "lean",
  streams: "shared",
  payloadBytes: 256,
  lanes: [{ firstTenant: 0, tenants: 1, weight: 1 }],
};
/** Enough that both workers have some, whichever the kernel picks. */
const IDLE = { connections: 16, rate: 100 };
const CONNECTIONS = 200;
const SHARES = [0.1, 0.5, 0.8];
/** All sent at once, so that nobody is left behind. */
const BURST = 500;
const FULL = { seconds: 4, mostSeconds: 1.5, steps: 5, runs: 5 };
const QUICK: typeof FULL = { seconds: 0.6, mostSeconds: 0.4, steps: 3, runs: 1 };

type Transport = ConnectionPlan["transport"];

export async function run({ quick }: BenchOptions): Promise<Report> {
  const effort = quick ? QUICK : FULL;
  const problems: string[] = [];
  const row = (name: string, rounds: Rounds) => {
    problems.push(...problemsOf(name, rounds));
    return { measured: name, ...columns(rounds) };
  };

  const limit = await onStage(
    ({ url }) => startReference("uws", url),
    (stage) => measureIdle(stage, "websocket", effort),
  );
  const idle = [row("uWebSockets.js alone, WebSocket", limit)];
  const loaded: (ReturnType<typeof row> & { "events/s": number })[] = [];
  await onStage(
    ({ url }) => startGateway({ redisUrl: url, workers: WORKERS }),
    async (stage) => {
      for (const transport of ["websocket", "sse"] as const) {
        const name = transport === "sse" ? "SSE" : "WebSocket";
        idle.push(row(`ragline-gateway, ${name}`, await measureIdle(stage, transport, effort)));
      }
      await open(stage, CONNECTIONS, ["sse", "websocket"]);
      const { mostSeconds, steps, runs } = effort;
      const most = await findMost(stage, {
        deliveriesPerEvent: CONNECTIONS,
        burst: BURST,
        seconds: mostSeconds,
        steps,
        runs,
      });
      problems.push(...problemsOf("the most", most));
      for (const share of [...SHARES, 1]) {
        const rate = most.rate * share;
        const rounds = share === 1 ? most.rounds : await measureRate(stage, rate, CONNECTIONS, effort);
        loaded.push({ ...row(`${share * 100} %`, rounds), "events/s": Math.round(rate) });
      }
    },
  );
  const notes = [
    coresLine(),
    BELIEF_NOTE,
    `medians of ${effort.runs} runs, each over every delivery or a million of them; percentiles of all generators' samples together, from just before the XADD was written to when the bytes were read`,
    `100 %: the largest rate tried with a p99 below ${LIMIT_P99_MS} ms`,
    "uWebSockets.js alone reads with XREAD and sends the payload: what Redis, ioredis and the kernel take by themselves",
    "every delivery counted and in turn",
  ];
  return {
    tables: [
      {
        title: `almost idle: ${IDLE.rate} events/s to ${IDLE.connections} connections of one tenant, ${WORKERS} workers`,
        rows: idle,
      },
      {
        title: `loaded: ${CONNECTIONS} connections of one tenant, half SSE and half WebSocket, ${WORKERS} workers`,
        rows: loaded,
      },
    ],
    notes,
    problems,
  };
}

function onStage<Result>(
  start: (redis: { url: string }) => Promise<Server>,
  use: (stage: Stage) => Promise<Result>,
): Promise<Result> {
  return withStage({ start: async (redis) => [await start(redis)], feed: FEED }, use);
}

async function measureIdle(stage: Stage, transport: Transport, effort: typeof FULL): Promise<Rounds> {
  await open(stage, IDLE.connections, [transport]);
  const rounds = await measureRate(stage, IDLE.rate, IDLE.connections, effort);
  await stage.generators.closeConnections();
  return rounds;
}

async function open({ servers, generators, feeder }: Stage, count: number, transports: Transport[]): Promise<void> {
  const { port } = servers[0]!;
  await generators.open(planConnections({ port, count, transports, token: tokenOf, next: feeder.sent[0]! }));
}

function measureRate(stage: Stage, rate: number, connections: number, { seconds, runs }: typeof FULL): Promise<Rounds> {
  const events = Math.max(1, Math.round(rate * seconds));
  return repeat(runs, () => runTrial(stage, { rate, events, expectedDeliveries: events * connections }));
}

function columns(rounds: Rounds) {
  const { median } = rounds;
  return {
    "deliveries/s": Math.round(median(({ deliveries, seconds }) => deliveries / seconds)),
    "p50 ms": threeDigits(median(({ latency }) => latency.p50)),
    "p99 ms": threeDigits(median(({ latency }) => latency.p99)),
    "p99.9 ms": threeDigits(median(({ latency }) => latency.p999)),
    "max ms": threeDigits(median(({ latency }) => latency.max)),
    ...beliefColumns(rounds),
  };
}
