import { cores } from "./cores.ts";
import type { Fed } from "./feed-messages.ts";
import type { Received } from "./load-messages.ts";
import { busySeconds, cpuSeconds } from "./process-usage.ts";
import { mergePercentiles, type Percentiles } from "./samples.ts";
import type { Stage } from "./stage.ts";

/** One stretch of events, from the first XADD until the last of them has arrived everywhere. */
export interface Trial {
  readonly events: number;
  readonly deliveries: number;
  /** Times a client's socket was read. */
  readonly reads: number;
  /** From the first XADD, until Redis had answered to the last and everything was received. */
  readonly seconds: number;
  /** CPU seconds, over all processes of the servers: primary, workers, threads of their pools. */
  readonly serverCpu: number;
  readonly redisCpu: number;
  /** Share of a core each generator used. */
  readonly generatorShares: readonly number[];
  /** Share of the servers' cores the servers used, 0 to 1. */
  readonly serverShare: number;
  /** Shares of the servers' and of the clients' cores that processes not measured used, 0 to 1. */
  readonly others: { readonly servers: number; readonly clients: number };
  /** Share of the clients' cores that generators, feeder and Redis used, 0 to 1. */
  readonly clientShare: number;
  /** From XADD to receipt. */
  readonly latency: Percentiles;
  readonly bytesPerDelivery: number;
  /** Milliseconds by which the feeder was late at its worst. */
  readonly feederLateMs: number;
  /** What was missing, doubled, out of turn or not expected; empty when all is well. */
  readonly problems: readonly string[];
}

export interface MeasureOptions {
  /** About how many deliveries there will be, so that not every latency has to be kept. */
  readonly expectedDeliveries: number;
  /** Processes that make the servers work besides. */
  readonly alsoGenerating?: readonly number[];
}

export interface TrialOptions extends MeasureOptions {
  /** Events per second. */
  readonly rate: number;
  readonly events: number;
}

/** After the last XADD. */
const SETTLE_WITHIN_MS = 60_000;
/** Of all processes together. */
const MOST_LATENCIES = 1_000_000;
/** A prime, so that a sample does not always fall on the same connections. */
const STRIDES = [1, 2, 3, 5, 11, 23, 53, 101, 211, 503, 1009];
/** Above this share of its core a generator measures itself. */
const SATURATED = 0.9;
/** Above this the rate was not the one asked for. */
const FEEDER_LATE_MS = 250;

/** Adds events at a fixed rate. */
export function runTrial(stage: Stage, { rate, events, ...options }: TrialOptions): Promise<Trial> {
  return measureWhile(stage, options, () => stage.feeder.feed(rate, events));
}

/** Measures what deliveries cost that come from anything done. @param act answers with what must have arrived then */
export async function measureWhile(stage: Stage, options: MeasureOptions, act: () => Promise<Fed>): Promise<Trial> {
  const { generators, feeder, redis, servers } = stage;
  await generators.restart(strideFor(options.expectedDeliveries));
  const pids = {
    server: servers.flatMap((server) => server.pids),
    generators: [...generators.pids, ...(options.alsoGenerating ?? [])],
  };
  const usage = () => ({
    at: performance.now() / 1e3,
    server: sum(pids.server.map(cpuSeconds)),
    serverCores: busySeconds(cores.servers),
    clientCores: busySeconds(cores.clients),
    redis: cpuSeconds(redis.pid),
    feeder: cpuSeconds(feeder.pid),
    generators: pids.generators.map(cpuSeconds),
  });
  const before = usage();
  const fed = await act();
  const received = await generators.settle(fed.sent, SETTLE_WITHIN_MS);
  const after = usage();

  const wall = after.at - before.at;
  const generatorCpu = after.generators.map((seconds, i) => seconds - before.generators[i]!);
  const redisCpu = after.redis - before.redis;
  const serverCpu = after.server - before.server;
  const clientCpu = sum(generatorCpu) + redisCpu + after.feeder - before.feeder;
  const deliveries = sum(received.map((one) => one.deliveries));
  return {
    events: fed.events,
    deliveries,
    reads: sum(received.map(({ reads }) => reads)),
    seconds: secondsOf(fed, received),
    serverCpu,
    redisCpu,
    generatorShares: generatorCpu.map((seconds) => seconds / wall),
    serverShare: serverCpu / wall / cores.servers.length,
    others: {
      servers: Math.max(0, (after.serverCores - before.serverCores - serverCpu) / wall / cores.servers.length),
      clients: Math.max(0, (after.clientCores - before.clientCores - clientCpu) / wall / cores.clients.length),
    },
    clientShare: clientCpu / wall / cores.clients.length,
    latency: mergePercentiles(received.map(({ latencies }) => latencies)),
    bytesPerDelivery: sum(received.map(({ bytes }) => bytes)) / deliveries,
    feederLateMs: fed.latestMs,
    problems: problemsOf(received),
  };
}

/** The figure says more about the generators and the feeder than about the server. */
export function isGeneratorSaturated({ generatorShares, clientShare, feederLateMs }: Trial): boolean {
  return clientShare > SATURATED || generatorShares.some((share) => share > SATURATED) || feederLateMs > FEEDER_LATE_MS;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function secondsOf({ startedAt, endedAt }: Fed, received: readonly Received[]): number {
  return (Math.max(endedAt, ...received.map(({ lastReceiptAt }) => lastReceiptAt)) - startedAt) / 1e6;
}

function problemsOf(received: readonly Received[]): string[] {
  const counts = (["missing", "repeated", "foreign", "behind"] as const).flatMap((kind) => {
    const count = sum(received.map((one) => one[kind]));
    return count === 0 ? [] : [`${count} ${WORDS[kind]}`];
  });
  const complaints = received.flatMap((one) => one.complaints);
  return [...counts, ...new Set(complaints.slice(0, 3))];
}

const WORDS = {
  missing: "events were passed over",
  repeated: "events came twice or after a later one",
  foreign: "events were another tenant's",
  behind: "connections did not get everything in time",
};

function strideFor(expected: number): number {
  return STRIDES.find((stride) => expected / stride <= MOST_LATENCIES) ?? STRIDES.at(-1)!;
}
