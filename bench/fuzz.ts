import { Redis } from "ioredis";
import { ATTACKER, ATTACKS, exchange, type Target } from "./support/attacks.ts";
import type { BenchOptions, Report } from "./support/benchmark.ts";
import { type Footprint, startWatchedGateway, type WatchedGateway, within } from "./support/fuzz-gateway.ts";
import { SECRET_MARK, startHealthyClients } from "./support/healthy-client.ts";
import { Random } from "./support/random.ts";

export const question =
  "Do mutated requests, frames, tokens, entries and cursors harm a gateway, or those who listen? (--seconds, --seed)";

const SECONDS = 60;
const QUICK_SECONDS = 10;
const WARM_UP_SECONDS = 3;
const ATTACKERS = 24;
/** Longer than the gateway keeps a connection that does not finish asking. */
const CALM_WITHIN_MS = 30_000;
/** What a worker's live objects may take more than after the warm-up: caches of tokens and of tenants. */
const MOST_GROWTH_MIB = 25;
const MOST_FILES_LEFT = 3;
const GREETED_WITHIN_MS = 3_000;

type Counts = Record<string, number>;

/** @throws Error naming everything that went wrong, and the seed. */
export async function run({ quick, seconds, seed }: BenchOptions): Promise<Report> {
  const duration = seconds ?? (quick ? QUICK_SECONDS : SECONDS);
  const chosen = seed ?? Math.floor(Math.random() * 2 ** 31);
  const gateway = await startWatchedGateway(2);
  const redis = new Redis(gateway.redisPort);
  try {
    return await attack(gateway, redis, duration, chosen);
  } finally {
    redis.disconnect();
    await gateway.stop();
  }
}

async function attack(gateway: WatchedGateway, redis: Redis, seconds: number, seed: number): Promise<Report> {
  const token = gateway.token({ tenant: ATTACKER, roles: ["publisher"] });
  const target: Target = { gateway, redis, token, cursor: await cursorOf(gateway, token) };
  const problems: string[] = [];
  const clients = await startHealthyClients(gateway, redis);
  const counts = Object.fromEntries(Object.keys(ATTACKS).map((name) => [name, 0])) as Counts;
  await attackFor(WARM_UP_SECONDS, seed - ATTACKERS, target, counts, problems);
  const before = await gateway.footprints();
  await attackFor(seconds, seed, target, counts, problems);

  const added = await clients.stop();
  if (!(await within(CALM_WITHIN_MS, async () => clients.problems().length === 0)))
    problems.push(...clients.problems());
  const isCalm = () => gateway.connections().then((open) => open === clients.count);
  if (!(await within(CALM_WITHIN_MS, isCalm))) problems.push(`${await gateway.connections()} connections are left`);
  if (!(await gateway.isReady())) problems.push("the gateway is not ready");
  if (gateway.output() !== "") problems.push(`the gateway logged errors:\n${gateway.output().slice(0, 2_000)}`);
  const after = await gateway.footprints();
  problems.push(...workerProblems(before, after));
  clients.close();
  if (problems.length > 0) throw new Error(`seed ${seed}:\n${[...new Set(problems)].join("\n")}`);
  return {
    tables: [
      { title: `Attempts in ${seconds} s`, rows: [counts] },
      {
        title: "Workers",
        rows: after.map(({ liveMib, residentMib, openFiles }, i) => ({
          "live MiB before": before[i]!.liveMib,
          after: liveMib,
          "resident MiB before": before[i]!.residentMib,
          "after ": residentMib,
          "open files": openFiles,
        })),
      },
    ],
    notes: [
      `seed ${seed}: --seed ${seed} throws the same again`,
      `${clients.count} healthy clients got all ${added} events, once and in order, and nobody else got any of them`,
      "no worker died, no connection was left, nothing was logged as an error",
    ],
  };
}

function workerProblems(before: readonly Footprint[], after: readonly Footprint[]): string[] {
  return after.flatMap(({ pid, liveMib, openFiles }, i) => {
    const was = before[i]!;
    const found: string[] = [];
    if (pid !== was.pid) found.push(`worker ${i + 1} has died`);
    if (liveMib - was.liveMib > MOST_GROWTH_MIB) {
      found.push(`worker ${i + 1}: live objects grew from ${was.liveMib} to ${liveMib} MiB`);
    }
    if (openFiles > was.openFiles + MOST_FILES_LEFT) {
      found.push(`worker ${i + 1}: open files grew from ${was.openFiles} to ${openFiles}`);
    }
    return found;
  });
}

async function attackFor(
  seconds: number,
  seed: number,
  target: Target,
  counts: Counts,
  problems: string[],
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  const names = Object.keys(ATTACKS);
  const attackers = Array.from({ length: ATTACKERS }, async (_, i) => {
    const random = new Random(seed + i);
    while (performance.now() < deadline) {
      const name = random.pick(names);
      const answer = await ATTACKS[name]!(random, target);
      counts[name]!++;
      if (answer.includes(SECRET_MARK)) problems.push(`${name}: an attacker got an event of the healthy tenant`);
    }
  });
  await Promise.all(attackers);
}

/** The position a new connection of the attacker starts from. */
async function cursorOf(gateway: WatchedGateway, token: string): Promise<string> {
  const request = `GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  const [, id] = /^id: (.+)$/m.exec(await exchange(gateway, [Buffer.from(request)], GREETED_WITHIN_MS)) ?? [];
  if (id === undefined) throw new Error("the gateway does not say where a connection starts");
  return id;
}
