import { randomInt } from "node:crypto";
import { avalanche } from "./prove/avalanche.ts";
import { jitter } from "./prove/jitter.ts";
import { redisFlushed, streamDeleted, streamTrimmed } from "./prove/redis-emptied.ts";
import { redisFailover } from "./prove/redis-failover.ts";
import { redisHalfOpen } from "./prove/redis-half-open.ts";
import { redisHangs } from "./prove/redis-hangs.ts";
import { redisLost } from "./prove/redis-lost.ts";
import { redisEvicts, redisFull } from "./prove/redis-memory.ts";
import { redisPassword } from "./prove/redis-password.ts";
import { redisKilled, redisRestart } from "./prove/redis-restart.ts";
import { slowClients } from "./prove/slow-clients.ts";
import { Crowd } from "./prove/support/crowd.ts";
import { Random } from "./prove/support/random.ts";
import type { Scenario } from "./prove/support/scenario.ts";
import { type Outcome, play } from "./prove/support/stage.ts";
import { rollingRestart, workerHangs, workersKilled } from "./prove/worker-harm.ts";
import type { BenchOptions, Report } from "./support/benchmark.ts";
import { coresLine, moveToClientCores } from "./support/cores.ts";
import { assertOpenFiles } from "./support/process-usage.ts";

export const question = "Does every client get every event once and in order, whatever breaks?";

export const limitSeconds = { quick: 900, full: 2_400 };

const SCENARIOS: readonly Scenario[] = [
  jitter,
  avalanche,
  slowClients,
  redisRestart,
  redisKilled,
  redisLost,
  redisHangs,
  redisFlushed,
  streamDeleted,
  streamTrimmed,
  redisFull,
  redisEvicts,
  redisFailover,
  redisPassword,
  redisHalfOpen,
  workersKilled,
  workerHangs,
  rollingRestart,
];
const MOST_CLIENTS = { quick: 1_100, full: 4_100 };

export async function run({ quick, seed = randomInt(2 ** 31), only }: BenchOptions): Promise<Report> {
  assertOpenFiles(quick ? MOST_CLIENTS.quick : MOST_CLIENTS.full);
  moveToClientCores();
  console.error(`seed ${seed}`);
  const rows = [];
  const notes = [coresLine(), `seed ${seed}: --seed ${seed} makes the same choices again`];
  const problems: string[] = [];
  const crowd = new Crowd();
  for (const scenario of chosen(only)) {
    const { name, what } = scenario;
    console.error(`\n${name}: ${what}`);
    const outcome = await play(scenario, { quick, seed, random: new Random(seed, name), crowd });
    console.error(progressLine(name, outcome));
    rows.push(rowOf(name, outcome));
    notes.push(...outcome.notes.map((note) => `${name}: ${note}`));
    problems.push(...outcome.problems.map((problem) => `${name}: ${problem}`));
  }
  const tables = [{ title: "what every client got, reconciled with what was published", rows }];
  return { tables, notes, problems, verdict: problems.length === 0 ? "PASS" : "FAIL" };
}

/** @throws Error when a name is none of a scenario. */
function chosen(names: readonly string[]): readonly Scenario[] {
  const unknown = names.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  const all = SCENARIOS.map(({ name }) => name).join(", ");
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}: there are ${all}`);
  return SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name));
}

function progressLine(name: string, { seconds, problems }: Outcome): string {
  return `${name} ${problems.length === 0 ? "passed" : "FAILED"} after ${seconds} s`;
}

function rowOf(name: string, { clients, events, cuts, totals, seconds }: Outcome) {
  const { deliveries, gaps, explained, lost, repeated, outOfOrder } = totals;
  return {
    scenario: name,
    ...{ clients, events, deliveries, cuts },
    "gaps explained": gaps,
    "events in gaps": explained,
    ...{ lost, repeated },
    "out of order": outOfOrder,
    seconds,
  };
}
