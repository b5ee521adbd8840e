import type { BenchOptions, Report, Table } from "./support/benchmark.ts";
import { planConnections } from "./support/connection-plans.ts";
import { cores, coresLine } from "./support/cores.ts";
import type { FeedPlan } from "./support/feed-messages.ts";
import { startGateway, tokenOf } from "./support/gateway.ts";
import { findMost, LIMIT_P99_MS } from "./support/most.ts";
import { assertOpenFiles } from "./support/process-usage.ts";
import { BELIEF_NOTE, beliefColumns, problemsOf, type Rounds, repeat, threeDigits } from "./support/rounds.ts";
import { withStage } from "./support/stage.ts";
import { runTrial } from "./support/trial.ts";

export const question = "How many events a second with many tenants of few clients each, and what does one cost?";

interface Scene {
  readonly tenants: number;
  readonly clientsEach: number;
}

const FULL = {
  scenes: [
    { tenants: 100, clientsEach: 10 },
    { tenants: 10_000, clientsEach: 1 },
  ],
  rate: 1_000,
  seconds: 2,
  steps: 4,
  runs: 3,
};
const QUICK: typeof FULL = {
  scenes: [{ tenants: 100, clientsEach: 10 }],
  rate: 500,
  seconds: 0.5,
  steps: 2,
  runs: 1,
};
const FORMS = ["fields", "compact"] as const;
const BURST = 5_000;

export async function run({ quick }: BenchOptions): Promise<Report> {
  const effort = quick ? QUICK : FULL;
  assertOpenFiles(Math.max(...effort.scenes.map(({ tenants, clientsEach }) => tenants * clientsEach)));
  const problems: string[] = [];
  const tables: Table[] = [];
  for (const scene of effort.scenes) {
    const { tenants, clientsEach } = scene;
    const about = `${tenants} tenants with ${clientsEach} client${clientsEach === 1 ? "" : "s"} each`;
    const found = [];
    for (const form of FORMS) {
      const { fixed, most } = await measure(scene, form, effort);
      problems.push(...problemsOf(`${about}, ${form}`, fixed), ...problemsOf(`${about}, ${form}`, most));
      found.push({ form, fixed, most });
    }
    tables.push(
      { title: `${about}: ${effort.rate} events/s`, rows: found.map(({ form, fixed }) => rowOf(form, fixed)) },
      {
        title: `${about}: most with p99 < ${LIMIT_P99_MS} ms`,
        rows: found.map(({ form, most }) => rowOf(form, most.rounds)),
      },
    );
  }
  const notes = [
    coresLine(),
    BELIEF_NOTE,
    `one gateway, workers: ${cores.servers.length}; half of the clients by SSE, half by WebSocket; payloads of 256 bytes; events go to one tenant after the other, all of them in their partitions`,
    "fields: an entry as the existing producers write it, ten fields; compact: one of MessagePack, as our publisher writes it",
    `CPU: of all server processes, µs, Redis apart; medians of ${effort.runs} runs; every delivery counted and in turn`,
  ];
  return { tables, notes, problems };
}

function measure({ tenants, clientsEach }: Scene, form: FeedPlan["form"], effort: typeof FULL) {
  const lanes = [{ firstTenant: 0, tenants, weight: 1 }];
  const feed: FeedPlan = { form, streams: "partitioned", payloadBytes: 256, lanes };
  const start = async ({ url }: { url: string }) => [
    await startGateway({ redisUrl: url, workers: cores.servers.length }),
  ];
  return withStage({ start, feed }, async (stage) => {
    const { port } = stage.servers[0]!;
    const count = tenants * clientsEach;
    const transports = ["sse", "websocket"] as const;
    await stage.generators.open(planConnections({ port, count, transports, tenants, token: tokenOf }));
    const { rate, seconds, runs } = effort;
    const events = rate * seconds;
    const trial = () => runTrial(stage, { rate, events, expectedDeliveries: events * clientsEach });
    const fixed = await repeat(runs, trial);
    const most = await findMost(stage, { ...effort, deliveriesPerEvent: clientsEach, burst: BURST });
    return { fixed, most };
  });
}

function rowOf(entries: string, rounds: Rounds) {
  return {
    entries,
    "events/s": Math.round(rounds.median(({ events, seconds }) => events / seconds)),
    "deliveries/s": Math.round(rounds.median(({ deliveries, seconds }) => deliveries / seconds)),
    "p99 ms": threeDigits(rounds.median(({ latency }) => latency.p99)),
    "CPU/event": threeDigits(rounds.median(({ serverCpu, events }) => (serverCpu * 1e6) / events)),
    "Redis/event": threeDigits(rounds.median(({ redisCpu, events }) => (redisCpu * 1e6) / events)),
    ...beliefColumns(rounds),
  };
}
