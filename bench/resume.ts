import type { BenchOptions, Report } from "./support/benchmark.ts";
import { nowMicros } from "./support/clock.ts";
import { planConnections } from "./support/connection-plans.ts";
import { cores, coresLine } from "./support/cores.ts";
import type { FeedPlan } from "./support/feed-messages.ts";
import { type BenchGateway, startGateway, tokenOf } from "./support/gateway.ts";
import { assertOpenFiles } from "./support/process-usage.ts";
import { BELIEF_NOTE, beliefColumns, problemsOf, type Rounds, roundsOf, threeDigits } from "./support/rounds.ts";
import { type Stage, withStage } from "./support/stage.ts";
import { measureWhile, type Trial } from "./support/trial.ts";

export const question = "How fast are missed events replayed, to a few clients and to thousands at once?";

interface Return {
  readonly clients: number;
  /** Events each of them missed. */
  readonly missed: number;
}

const FULL = {
  returns: [
    { clients: 10, missed: 9_000 },
    { clients: 5_000, missed: 0 },
    { clients: 5_000, missed: 20 },
  ],
  runs: 3,
};
const QUICK: typeof FULL = {
  returns: [
    { clients: 4, missed: 2_000 },
    { clients: 300, missed: 0 },
    { clients: 300, missed: 20 },
  ],
  runs: 1,
};
const FEED: FeedPlan = {
  form: "compact",
  streams: "partitioned",
  payloadBytes: 256,
  lanes: [{ firstTenant: 0, tenants: 1, weight: 1 }],
};
/** Events per second; nobody waits for them. */
const FEED_RATE = 20_000;
const SETTLE_WITHIN_MS = 20_000;

export async function run({ quick }: BenchOptions): Promise<Report> {
  const { returns, runs } = quick ? QUICK : FULL;
  assertOpenFiles(Math.max(...returns.map(({ clients }) => clients)));
  const problems: string[] = [];
  const start = async ({ url }: { url: string }) => [
    await startGateway({ redisUrl: url, workers: cores.servers.length }),
  ];
  const rows = await withStage({ start, feed: FEED }, async (stage) => {
    const found = [];
    await measureReturn(stage, returns[0]!);
    for (const one of returns) {
      const trials: Trial[] = [];
      for (let i = 0; i < runs; i++) trials.push(await measureReturn(stage, one));
      const rounds = roundsOf(trials);
      problems.push(...problemsOf(`${one.clients} clients that missed ${one.missed}`, rounds));
      found.push(rowOf(one, rounds));
    }
    return found;
  });
  const notes = [
    coresLine(),
    BELIEF_NOTE,
    `one gateway, workers: ${cores.servers.length}; one tenant, half of the clients by SSE, half by WebSocket, payloads of 256 bytes`,
    "all clients connect at once with the same last_event_id; seconds: from the first connect to the last event received; those that missed nothing show what connecting alone takes",
    `CPU: of all server processes, µs per event replayed, connecting included; Redis apart; medians of ${runs} runs after one to warm up`,
    "every client must get exactly what it missed, in order, without a gap",
  ];
  return { tables: [{ title: "clients that return", rows }], notes, problems };
}

async function measureReturn(stage: Stage<BenchGateway>, { clients, missed }: Return): Promise<Trial> {
  const { servers, generators, feeder } = stage;
  const { port } = servers[0]!;
  const plans = { port, transports: ["sse", "websocket"] as const, token: tokenOf };
  const next = feeder.sent[0]!;
  // Those who stay show when the gateway has read everything.
  const { cursor } = await generators.open(planConnections({ ...plans, count: 2, next }));
  if (missed > 0) await feeder.feed(FEED_RATE, missed);
  await generators.settle(feeder.sent, SETTLE_WITHIN_MS);
  const query = `?last_event_id=${cursor}`;
  const trial = await measureWhile(stage, { expectedDeliveries: clients * missed }, async () => {
    const startedAt = nowMicros();
    await generators.open(planConnections({ ...plans, count: clients, next, query }));
    return { events: clients * missed, sent: feeder.sent, startedAt, endedAt: nowMicros(), latestMs: 0 };
  });
  await generators.closeConnections();
  return trial;
}

function rowOf({ clients, missed }: Return, rounds: Rounds) {
  const seconds = rounds.median((trial) => trial.seconds);
  const replayed = clients * missed;
  const perEvent = (cpu: number) => (replayed === 0 ? "–" : threeDigits((cpu * 1e6) / replayed));
  const serverCpu = rounds.median((trial) => trial.serverCpu);
  return {
    clients,
    missed,
    seconds: threeDigits(seconds),
    "replayed/s": Math.round(replayed / seconds),
    "clients/s": Math.round(clients / seconds),
    "CPU/client": Math.round((serverCpu * 1e6) / clients),
    "CPU/event": perEvent(serverCpu),
    "Redis/event": perEvent(rounds.median(({ redisCpu }) => redisCpu)),
    ...beliefColumns(rounds),
  };
}
