import type { BenchOptions, Report } from "./support/benchmark.ts";
import { NOTHING, planConnections } from "./support/connection-plans.ts";
import { coresLine } from "./support/cores.ts";
import type { FeedPlan } from "./support/feed-messages.ts";
import { type BenchGateway, startGateway, tokenOf } from "./support/gateway.ts";
import { assertOpenFiles } from "./support/process-usage.ts";
import { BELIEF_NOTE, beliefColumns, problemsOf, type Rounds, repeat, threeDigits } from "./support/rounds.ts";
import { type Stage, withStage } from "./support/stage.ts";
import { runTrial, sum } from "./support/trial.ts";

export const question =
  "What do more workers cost one large tenant, and is relaying cheaper than each reading for itself?";

const FEED: FeedPlan = {
  form: "compact",
  streams: "partitioned",
  payloadBytes: 256,
  lanes: [{ firstTenant: 0, tenants: 1, weight: 1 }],
};

/** How much is asked of every arrangement alike. */
interface Load {
  readonly connections: number;
  /** So many of them take the events; the others only make every worker interested in the tenant. */
  readonly takers: number;
  /** Events per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly runs: number;
}

const MANY: Load = { connections: 10_000, takers: 10_000, rate: 4, seconds: 4, runs: 3 };
const FEW: Load = { connections: 100, takers: 4, rate: 2_000, seconds: 4, runs: 3 };
const QUICK_MANY: Load = { connections: 1_000, takers: 1_000, rate: 20, seconds: 0.5, runs: 1 };
const QUICK_FEW: Load = { connections: 100, takers: 4, rate: 1_000, seconds: 0.5, runs: 1 };

export async function run({ quick }: BenchOptions): Promise<Report> {
  const [many, few] = quick ? [QUICK_MANY, QUICK_FEW] : [MANY, FEW];
  assertOpenFiles(many.connections);
  const problems: string[] = [];
  const measureBoth = async (gateways: number, workers: number) => {
    const name = gateways === 1 ? `1 gateway, workers: ${workers}` : `${gateways} gateways, workers each: ${workers}`;
    const found = await measure(gateways, workers, few, many);
    problems.push(...problemsOf(name, found.few), ...problemsOf(name, found.many));
    return { name, ...found };
  };
  const one = await measureBoth(1, 1);
  const two = await measureBoth(1, 2);
  const four = await measureBoth(1, 4);
  const apart = await measureBoth(2, 1);
  return {
    tables: [
      { title: title("workers", many), rows: [one, two, four].map((row) => rowOf(row.name, row.many, row.spread)) },
      { title: title("workers", few), rows: [one, two, four].map((row) => rowOf(row.name, row.few, row.fewSpread)) },
      { title: title("relay or read", many), rows: [two, apart].map((row) => rowOf(row.name, row.many, row.spread)) },
      { title: title("relay or read", few), rows: [two, apart].map((row) => rowOf(row.name, row.few, row.fewSpread)) },
    ],
    notes: [
      coresLine(),
      BELIEF_NOTE,
      "CPU: of all server processes, primary, workers and the threads of their pools, µs; Redis apart",
      `medians of ${many.runs} runs after one to warm up; every delivery counted and in turn; latency from XADD to receipt`,
      "one gateway: the stream's owner reads and encodes each event once and relays it to the siblings; two gateways: each reads and encodes the stream for itself",
      "where all take the events the sends decide, where few do the reading, encoding and relaying",
      "deliveries/read: events that came in one read of a client's socket; what a delivery costs depends on it",
      `relay to read, CPU of the servers per event where few take it: ${ratio(two.few, apart.few, ({ serverCpu }) => serverCpu)}; of Redis: ${ratio(two.few, apart.few, ({ redisCpu }) => redisCpu)}`,
    ],
    problems,
  };
}

function title(what: string, { connections, takers, rate }: Load): string {
  const who =
    takers === connections
      ? `${connections} connections`
      : `${connections} connections, of which ${takers} take the events`;
  return `${what}: one tenant, ${who}, half SSE and half WebSocket, ${rate} events/s of 256 bytes`;
}

interface Measured {
  readonly many: Rounds;
  readonly few: Rounds;
  readonly spread: string;
  readonly fewSpread: string;
}

function measure(gateways: number, workers: number, few: Load, many: Load): Promise<Measured> {
  const start = async ({ url }: { url: string }) => {
    const all = Array.from({ length: gateways }, () => startGateway({ redisUrl: url, workers }));
    return Promise.all(all);
  };
  return withStage({ start, feed: FEED }, async (stage) => {
    const first = await measureLoad(stage, few);
    await stage.generators.closeConnections();
    const second = await measureLoad(stage, many);
    return { few: first.rounds, fewSpread: first.spread, many: second.rounds, spread: second.spread };
  });
}

async function measureLoad(stage: Stage<BenchGateway>, load: Load) {
  const { servers, generators, feeder } = stage;
  const { connections, rate, seconds, runs } = load;
  await generators.open(servers.flatMap(({ port }) => plansFor(port, load, servers.length, feeder.sent[0]!)));
  const spread = await spreadOf(servers, connections);
  const events = rate * seconds;
  const rounds = await repeat(runs, () => runTrial(stage, { rate, events, expectedDeliveries: events * load.takers }));
  return { rounds, spread };
}

/** The share of one of so many gateways. */
function plansFor(port: number, { connections, takers }: Load, gateways: number, sent: number) {
  const common = { port, transports: ["sse", "websocket"], token: tokenOf } as const;
  return [
    ...planConnections({ ...common, count: takers / gateways, next: sent }),
    ...planConnections({ ...common, count: (connections - takers) / gateways, next: NOTHING, query: "?types=another" }),
  ];
}

const REPORTED_WITHIN_MS = 5_000;

/** Connections of the emptiest and the fullest worker. */
async function spreadOf(gateways: readonly BenchGateway[], connections: number): Promise<string> {
  const deadline = performance.now() + REPORTED_WITHIN_MS;
  for (;;) {
    const counts = (await Promise.all(gateways.map((gateway) => gateway.connections()))).flat();
    if (sum(counts) === connections) {
      if (Math.min(...counts) === 0) throw new Error("a worker has no connection at all");
      return counts.length === 1 ? `${connections}` : `${Math.min(...counts)}–${Math.max(...counts)}`;
    }
    if (performance.now() > deadline) throw new Error(`${sum(counts)} of ${connections} connections are reported`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function rowOf(name: string, rounds: Rounds, spread: string) {
  return {
    servers: name,
    "connections each": spread,
    "deliveries/s": Math.round(rounds.median(({ deliveries, seconds }) => deliveries / seconds)),
    "CPU/delivery": threeDigits(rounds.median(({ serverCpu, deliveries }) => (serverCpu * 1e6) / deliveries)),
    "CPU/event": threeDigits(rounds.median(({ serverCpu, events }) => (serverCpu * 1e6) / events)),
    "Redis/event": threeDigits(rounds.median(({ redisCpu, events }) => (redisCpu * 1e6) / events)),
    "deliveries/read": threeDigits(rounds.median(({ deliveries, reads }) => deliveries / reads)),
    "p99 ms": threeDigits(rounds.median(({ latency }) => latency.p99)),
    ...beliefColumns(rounds),
  };
}

function ratio(a: Rounds, b: Rounds, of: (trial: Rounds["trials"][number]) => number): string {
  return (a.median(of) / b.median(of)).toFixed(2);
}
