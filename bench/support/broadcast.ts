import type { PrivateRedis } from "../../src/cli/private-redis.ts";
import type { BenchOptions, Report, Table } from "./benchmark.ts";
import { planConnections } from "./connection-plans.ts";
import { coresLine } from "./cores.ts";
import type { FeedPlan } from "./feed-messages.ts";
import { startGateway, tokenOf } from "./gateway.ts";
import { findMost, LIMIT_P99_MS, type Most } from "./most.ts";
import { assertOpenFiles } from "./process-usage.ts";
import { startReference } from "./reference.ts";
import { BELIEF_NOTE, beliefColumns, problemsOf, type Rounds, repeat, threeDigits } from "./rounds.ts";
import type { Server } from "./server.ts";
import { withStage } from "./stage.ts";
import { runTrial, type Trial } from "./trial.ts";

/** The same entries for all, of which the references read the payload alone. */
const FEED: FeedPlan = {
  form: "lean",
  streams: "shared",
  payloadBytes: 256,
  lanes: [{ firstTenant: 0, tenants: 1, weight: 1 }],
};
const FULL = { clients: [1_000, 10_000], seconds: 1.2, steps: 3, runs: 3, fixed: [50_000, 500_000] };
const QUICK = { clients: [300], seconds: 0.4, steps: 2, runs: 1, fixed: [50_000] };
/** Events of a burst: so many that nobody is left behind. */
const MOST_BURST = 500;
const BURST_DELIVERIES = 200_000;
/** Who reaches less of what is asked for is not asked again: it would only take long. */
const HOPELESS_SHARE = 0.7;
const FIXED_BUDGET_SECONDS = 8;
const LIMIT = "uWebSockets.js alone";

type Start = (redis: PrivateRedis) => Promise<Server>;
type Effort = typeof FULL;

export interface BroadcastOptions extends BenchOptions {
  readonly transport: "sse" | "websocket";
}

/** One tenant, many clients: the gateway and the references in turn. */
export async function measureBroadcast({ transport, quick }: BroadcastOptions): Promise<Report> {
  const effort = quick ? QUICK : FULL;
  assertOpenFiles(Math.max(...effort.clients));
  const problems: string[] = [];
  const tables: Table[] = [];
  for (const clients of effort.clients) {
    const found: Found[] = [];
    for (const [server, start] of contestants(transport)) {
      const one = { server, ...(await measure(start, transport, clients, effort)) };
      problems.push(...problemsOf(`${server}, ${clients} clients`, one.most));
      for (const { rounds } of one.fixed) problems.push(...problemsOf(`${server}, ${clients} clients`, rounds));
      found.push(one);
    }
    tables.push(mostTable(clients, found), ...effort.fixed.map((_, i) => fixedTable(clients, found, i)));
  }
  const notes = [
    coresLine(),
    BELIEF_NOTE,
    "one worker of the gateway, one process of each reference; payloads of 256 bytes in the same shared stream; bytes: of a message as it came, which for the gateway has the cursor, type and time as well",
    `most: the largest rate tried with a p99 below ${LIMIT_P99_MS} ms from XADD to receipt, medians of up to ${effort.runs} runs at that rate; a p99 beyond it: none was found in the time there is`,
    `CPU: of all server processes, µs per delivery; to the limit: divided by that of ${LIMIT}, which reads with XREAD and sends the payload, and does nothing else`,
    "far fewer deliveries/s than asked for: the server, or a saturated generator, could not do more, and was asked once only",
    "deliveries/read: events that came in one read of a client's socket; what a delivery costs depends on it",
    "every delivery counted and in turn",
  ];
  return { tables, notes, problems };
}

function contestants(transport: BroadcastOptions["transport"]): [server: string, Start][] {
  const usual = transport === "websocket" ? "ws" : "node-http";
  return [
    [LIMIT, ({ url }) => startReference("uws", url)],
    ["ragline-gateway", ({ url }) => startGateway({ redisUrl: url, workers: 1 })],
    [usual === "ws" ? "ws, a loop of sends" : "node:http, a loop of writes", ({ url }) => startReference(usual, url)],
  ];
}

interface Found {
  readonly server: string;
  readonly most: Most;
  readonly fixed: readonly { asked: number; rounds: Rounds }[];
}

function measure(start: Start, transport: BroadcastOptions["transport"], clients: number, effort: Effort) {
  const open = async (redis: PrivateRedis) => [await start(redis)];
  return withStage({ start: open, feed: FEED }, async (stage) => {
    const { port } = stage.servers[0]!;
    await stage.generators.open(planConnections({ port, count: clients, transports: [transport], token: tokenOf }));
    const fixed: { asked: number; rounds: Rounds }[] = [];
    for (const asked of effort.fixed) {
      const rate = asked / clients;
      const events = Math.ceil(rate * effort.seconds);
      const trial = () => runTrial(stage, { rate, events, expectedDeliveries: events * clients });
      const isHopeless = ({ deliveries, seconds }: Trial) => deliveries / seconds < asked * HOPELESS_SHARE;
      fixed.push({
        asked,
        rounds: await repeat(effort.runs, trial, { isHopeless, budgetSeconds: FIXED_BUDGET_SECONDS }),
      });
    }
    const burst = Math.min(MOST_BURST, BURST_DELIVERIES / clients);
    const most = await findMost(stage, { deliveriesPerEvent: clients, burst, ...effort });
    return { most, fixed };
  });
}

function mostTable(clients: number, found: readonly Found[]): Table {
  const rows = found.map(({ server, most }) => ({
    server,
    "events/s": threeDigits(most.rate),
    ...columns(most.rounds, found[0]!.most.rounds),
  }));
  return { title: `most with p99 < ${LIMIT_P99_MS} ms, ${clients} clients`, rows };
}

function fixedTable(clients: number, found: readonly Found[], i: number): Table {
  const { asked } = found[0]!.fixed[i]!;
  const rows = found.map(({ server, fixed }) => ({ server, ...columns(fixed[i]!.rounds, found[0]!.fixed[i]!.rounds) }));
  return { title: `${asked} deliveries/s asked for, ${clients} clients`, rows };
}

function columns(rounds: Rounds, limit: Rounds) {
  const cpuOf = (of: Rounds) => of.median(({ serverCpu, deliveries }) => (serverCpu * 1e6) / deliveries);
  return {
    "deliveries/s": Math.round(rounds.median(({ deliveries, seconds }) => deliveries / seconds)),
    "p99 ms": threeDigits(rounds.median(({ latency }) => latency.p99)),
    "CPU/delivery": threeDigits(cpuOf(rounds)),
    "to the limit": (cpuOf(rounds) / cpuOf(limit)).toFixed(2),
    "deliveries/read": threeDigits(rounds.median(({ deliveries, reads }) => deliveries / reads)),
    bytes: Math.round(rounds.median(({ bytesPerDelivery }) => bytesPerDelivery)),
    ...beliefColumns(rounds),
  };
}
