import { setTimeout as delay } from "node:timers/promises";
import { Samples } from "../../support/samples.ts";
import type { ClientPlan, CrowdAnswer, CrowdRequest } from "./crowd-messages.ts";
import { ProofClient } from "./proof-client.ts";

/** Many clients in one process, told what to do by `Crowd`. */

const LOOK_AGAIN_MS = 10;
const AT_ONCE = 64;
const OPEN_WITHIN_MS = 60_000;

const samples = new Samples();
let clients: ProofClient[] = [];

process.on("disconnect", () => process.exit());
process.on("message", async (request: CrowdRequest) => {
  process.send!(await answer(request));
});

async function answer(request: CrowdRequest): Promise<CrowdAnswer> {
  switch (request.kind) {
    case "open":
      return open(request.plans);
    case "stampede":
      for (const client of clients) {
        if (client.plan.behaviour.kind === "herd") client.leave(request.leastMs, request.mostMs);
      }
      return { kind: "done" };
    case "await-connected":
      return waitFor(clients, ({ isConnected }) => isConnected, request.withinMs);
    case "calm":
      for (const client of clients) client.calm();
      return { kind: "done" };
    case "settle": {
      const { last, who, withinMs } = request;
      const concerned = clients.filter(({ plan }) => who === "all" || plan.behaviour.kind === "steady");
      return waitFor(concerned, (client) => hasAll(client, last), withinMs);
    }
    case "sample":
      samples.restart(1);
      return { kind: "done" };
    case "latencies":
      return { kind: "sampled", latencies: samples.taken() };
    case "report": {
      const reports = clients.map((client) => client.close());
      clients = [];
      return { kind: "reported", clients: reports };
    }
  }
}

async function open(plans: readonly ClientPlan[]): Promise<CrowdAnswer> {
  samples.restart(1);
  const deadline = performance.now() + OPEN_WITHIN_MS;
  const opened: ProofClient[] = [];
  for (const plan of plans) {
    opened.push(new ProofClient(plan, samples));
    while (opened.filter(({ hasStarted }) => !hasStarted).length >= AT_ONCE && performance.now() < deadline) {
      await delay(LOOK_AGAIN_MS);
    }
  }
  clients.push(...opened);
  await waitFor(opened, ({ hasStarted }) => hasStarted, deadline - performance.now());
  const problems = opened.flatMap(({ hasStarted, plan }) => (hasStarted ? [] : [`${plan.name} was never greeted`]));
  return { kind: "opened", problems };
}

async function waitFor(
  concerned: readonly ProofClient[],
  isSo: (client: ProofClient) => boolean,
  withinMs: number,
): Promise<CrowdAnswer> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const behind = concerned.filter((client) => !isSo(client));
    if (behind.length === 0 || performance.now() >= deadline) {
      return { kind: "behind", count: behind.length, first: behind[0]?.plan.name ?? "" };
    }
    await delay(LOOK_AGAIN_MS);
  }
}

function hasAll({ plan, highest }: ProofClient, last: readonly (readonly number[])[]): boolean {
  return plan.streams.every((stream) => (highest[stream] ?? -1) >= last[plan.tenant]![stream]!);
}
