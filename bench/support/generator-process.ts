import { setTimeout as delay } from "node:timers/promises";
import { LoadConnection } from "./load-connection.ts";
import type { ConnectionPlan, GeneratorAnswer, GeneratorRequest, Opened, Received } from "./load-messages.ts";
import { Tally } from "./tally.ts";

/** A load generator: many connections in one process, told what to do by `openGenerators`. */

const LOOK_AGAIN_MS = 10;
/** Who gets nothing for so long will not get more. */
const STALLED_MS = 10_000;
const GREETED_WITHIN_MS = 30_000;

const tally = new Tally();
let connections: LoadConnection[] = [];

process.on("disconnect", () => process.exit());
process.on("message", async (request: GeneratorRequest) => {
  process.send!(await answer(request));
});

async function answer(request: GeneratorRequest): Promise<GeneratorAnswer> {
  switch (request.kind) {
    case "open":
      return { kind: "opened", opened: await open(request.connections, request.atOnce) };
    case "restart":
      tally.restart(request.sampleEvery);
      return { kind: "restarted" };
    case "settle":
      return { kind: "settled", received: await settle(request.sent, request.withinMs) };
    case "close":
      for (const connection of connections) connection.close();
      connections = [];
      return { kind: "closed" };
  }
}

async function open(plans: readonly ConnectionPlan[], atOnce: number): Promise<Opened> {
  const problems: string[] = [];
  const rest = plans.values();
  let first: LoadConnection | undefined;
  const openOneByOne = async () => {
    for (const plan of rest) {
      const { connection, greeted } = openOne(plan);
      first ??= connection;
      connections.push(connection);
      const problem = await greeted;
      if (problem !== null) problems.push(problem);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, openOneByOne));
  return { problems, cursor: first?.cursor ?? "" };
}

function openOne(plan: ConnectionPlan): { connection: LoadConnection; greeted: Promise<string | null> } {
  const { promise: greeted, resolve } = withResolvers<string | null>();
  const deadline = setTimeout(() => resolve("no greeting came in time"), GREETED_WITHIN_MS);
  const connection = new LoadConnection(plan, tally, (problem) => {
    clearTimeout(deadline);
    resolve(problem);
  });
  return { connection, greeted };
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function settle(sent: Uint32Array, withinMs: number): Promise<Received> {
  const isBehind = ({ tenant, next }: LoadConnection) => next >= 0 && next < sent[tenant]!;
  const deadline = performance.now() + withinMs;
  let received = tally.deliveries;
  let stalledAt = performance.now() + STALLED_MS;
  while (connections.some(isBehind) && performance.now() < Math.min(deadline, stalledAt)) {
    await delay(LOOK_AGAIN_MS);
    if (tally.deliveries !== received) stalledAt = performance.now() + STALLED_MS;
    received = tally.deliveries;
  }
  const { deliveries, bytes, reads, missing, repeated, foreign, complaints, receivedAt } = tally;
  return {
    ...{ deliveries, bytes, reads, missing, repeated, foreign, complaints },
    lastReceiptAt: deliveries === 0 ? 0 : receivedAt,
    behind: connections.filter(isBehind).length,
    latencies: tally.samples.taken(),
  };
}
