import { setTimeout as delay } from "node:timers/promises";
import { startTcpProxy } from "../../../test/support/tcp-proxy.ts";
import { planClients, USUAL_CLIENTS } from "./clients.ts";
import type { Crowd } from "./crowd.ts";
import { ProofGateway } from "./gateway.ts";
import { Publisher } from "./publisher.ts";
import type { Random } from "./random.ts";
import { RedisServer } from "./redis-server.ts";
import type { Clients, Scenario, Scene, Setting } from "./scenario.ts";
import { makeTenants } from "./tenants.ts";
import { entriesOf, type Judgement, judge } from "./verdict.ts";

export interface StageOptions {
  readonly quick: boolean;
  readonly seed: number;
  readonly random: Random;
  readonly crowd: Crowd;
}

export interface Outcome extends Judgement {
  readonly clients: number;
  readonly seconds: number;
  readonly notes: readonly string[];
}

const USUAL = { workers: 2, tenants: 8, perSecond: 300, padBytes: 0 };
/** Milliseconds of peace before and after the harm. */
const PEACE_MS = { full: 1_500, quick: 700 };
const READY_AGAIN_WITHIN_MS = 60_000;
const SETTLE_WITHIN_MS = 60_000;
/** Milliseconds in which something could still come that should not. */
const AFTERWARDS_MS = 1_000;

type Undo = (() => unknown)[];

/** Plays one scenario from an empty Redis to the verdict, and leaves nothing behind. */
export async function play(scenario: Scenario, options: StageOptions): Promise<Outcome> {
  const { setting = {} } = scenario;
  const startedAt = performance.now();
  const notes: string[] = [];
  const undo: Undo = [];
  try {
    const scene = await setUp(setting, options, undo, notes);
    const failures = await doHarm(scenario, scene);
    const judgement = await conclude(scene, setting, failures);
    const clients = Object.values(countClients(setting, options.quick)).reduce((sum, count) => sum + count, 0);
    return { ...judgement, clients, seconds: Math.round((performance.now() - startedAt) / 100) / 10, notes };
  } finally {
    for (const end of undo.reverse()) await end();
  }
}

async function setUp(
  setting: Setting,
  { quick, seed, random, crowd }: StageOptions,
  undo: Undo,
  notes: string[],
): Promise<Scene> {
  const { workers, tenants: tenantCount, perSecond, padBytes, settings = {} } = { ...USUAL, ...setting };
  const redis = await RedisServer.start(setting.redis ?? []);
  undo.push(() => redis.close());
  const login = (await setting.prepare?.(redis)) ?? "";
  const teardown = (end: () => void) => undo.push(end);
  const network = setting.network === true ? await startTcpProxy({ teardown }, redis.port) : null;
  const redisUrl = `redis://${login}127.0.0.1:${network?.port ?? redis.port}/0`;
  const gateway = await ProofGateway.start({ redisUrl, workers, settings });
  undo.push(() => gateway.stop());
  const tenants = makeTenants(tenantCount, random.for("tenants"));
  const publisher = new Publisher({
    ...{ tenants, perSecond, padBytes },
    redisUrl: redis.url,
    gatewayPort: gateway.port,
    random: random.for("events"),
  });
  undo.push(() => publisher.stop());
  undo.push(() => crowd.report());
  await crowd.open(planClients(countClients(setting, quick), { tenants, port: gateway.port, seed }));
  const note = (text: string) => void notes.push(text);
  return { quick, random, redis, network, gateway, publisher, crowd, tenants, undo, note };
}

/** @returns what did not come of it that must. */
async function doHarm({ run }: Scenario, scene: Scene): Promise<string[]> {
  const { quick, publisher } = scene;
  const peaceMs = quick ? PEACE_MS.quick : PEACE_MS.full;
  const failures: string[] = [];
  const attempt = (step: Promise<unknown>) => step.catch((error: Error) => failures.push(error.message));
  publisher.resume();
  await delay(peaceMs);
  await attempt(run(scene));
  await delay(peaceMs);
  await attempt(settle(scene));
  return failures;
}

/** Resolves once every client has everything, and had time to get more than that. */
async function settle({ publisher, gateway, crowd }: Scene): Promise<void> {
  await gateway.untilReady(READY_AGAIN_WITHIN_MS);
  await publisher.pause();
  await publisher.mark(SETTLE_WITHIN_MS);
  await crowd.calm();
  await crowd.settle(publisher.last(), "all", SETTLE_WITHIN_MS);
  await delay(AFTERWARDS_MS);
}

async function conclude(scene: Scene, setting: Setting, failures: readonly string[]): Promise<Judgement> {
  const { redis, publisher, gateway, crowd, tenants } = scene;
  await publisher.stop();
  const kept = await entriesOf(redis, tenants);
  const report = await crowd.report();
  const judgement = judge({ report, publisher, tenants, kept, setting });
  const problems = [...judgement.problems, ...failures];
  const logged = problems.length > 0 ? gateway.troubles().map((line) => `it logged: ${line}`) : [];
  return { ...judgement, problems: [...problems, ...logged] };
}

function countClients(setting: Setting, quick: boolean): Clients {
  return { ...USUAL_CLIENTS, ...setting.clients, ...(quick ? setting.quick : {}) };
}
