import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import t, { type Test } from "tap";
import { type Endpoint, type Follower, follow, type Item } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { addEvent, PLACES, type Topic } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

const TOPICS: readonly Topic[] = ["orders", "notifications", "system"];
/** Every stream that holds events of a tenant. */
const STREAMS = TOPICS.flatMap((topic) => PLACES.slice(0, 2).map((place) => ({ topic, place })));

interface Numbered {
  readonly stream: number;
  readonly n: number;
}

/** Adds numbered events to all streams until it is told to stop. @returns how many each stream got. */
async function produce(tenant: string, going: () => boolean): Promise<number[]> {
  const counts = STREAMS.map(() => 0);
  while (going()) {
    const adding = STREAMS.map(({ topic, place }, stream) => {
      const payload: Numbered = { stream, n: counts[stream]!++ };
      return addEvent(redis, { topic, tenant_id: tenant, payload }, place);
    });
    await Promise.all(adding);
    await delay(2);
  }
  return counts;
}

/** Reads for a random while, cuts, and comes back with the last id, over and over. */
async function wander(t: Test, token: string, first: Follower, endpoints: readonly Endpoint[], visits: number) {
  const items: Item[] = [];
  let follower = first;
  for (let visit = 0; visit < visits; visit++) {
    const wanted = randomInt(0, 60);
    for (let n = 0; n < wanted; n++) items.push(await follower.next());
    // What arrived and was not looked at yet is lost with the connection: the cursor is that of the last item seen.
    const lastEventId = items.at(-1)?.id ?? first.connected.id;
    follower.cut();
    follower = await follow(t, gateway, endpoints[visit % endpoints.length]!, {
      token,
      lastEventId,
      cursorInQuery: visit % 3 === 0,
      protocols: visit % 2 === 0 ? ["ragline.msgpack.v1"] : [],
    });
  }
  return { items, follower };
}

/** Per stream, every number from 0 on exactly once and in order. */
function reconcile(t: Test, items: readonly Item[], counts: readonly number[], name: string): void {
  t.same(
    items.filter(({ kind }) => kind !== "event"),
    [],
    `${name} got events only`,
  );
  const received = STREAMS.map((): number[] => []);
  for (const { data } of items) received[(data as Numbered).stream]!.push((data as Numbered).n);
  for (const [stream, ns] of received.entries()) {
    const wrong = ns.findIndex((n, index) => n !== index);
    const near = ns.slice(Math.max(0, wrong - 2), wrong + 3);
    t.equal(
      wrong,
      -1,
      `${name} got stream ${stream} in order, without loss or repeat${wrong < 0 ? "" : `: …${near}…`}`,
    );
    t.equal(ns.length, counts[stream], `${name} got all of stream ${stream}`);
  }
}

t.test("clients that come and go while events keep flowing miss nothing and get nothing twice", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const clients = [
    { name: "SSE", endpoints: ["/stream"] },
    { name: "WebSocket", endpoints: ["/ws"] },
    { name: "either", endpoints: ["/ws", "/stream"] },
    { name: "either, the other way round", endpoints: ["/stream", "/ws"] },
  ] as const;
  const firsts = await Promise.all(clients.map(({ endpoints }) => follow(t, gateway, endpoints[0], { token })));
  const steady = await Promise.all([follow(t, gateway, "/stream", { token }), follow(t, gateway, "/ws", { token })]);

  let going = true;
  const producing = produce(tenant, () => going);
  const wandering = clients.map(({ endpoints }, index) => wander(t, token, firsts[index]!, endpoints, 40));
  const wandered = await Promise.all(wandering).finally(() => {
    going = false;
  });
  const counts = await producing;
  const total = counts.reduce((sum, count) => sum + count, 0);

  for (const [index, { items, follower }] of wandered.entries()) {
    items.push(...(await follower.take(total - items.length, 30_000)));
    reconcile(t, items, counts, clients[index]!.name);
  }
  for (const follower of steady) reconcile(t, await follower.take(total, 30_000), counts, follower.endpoint);
});

t.test("many clients that all come back at once miss nothing and get nothing twice", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  let going = true;
  const producing = produce(tenant, () => going);
  const seen = await first.take(300);
  first.cut();
  const { id: lastEventId } = seen.at(-1)!;
  const herd = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      follow(t, gateway, index % 2 === 0 ? "/stream" : "/ws", { token, lastEventId: lastEventId! }),
    ),
  ).finally(() => {
    going = false;
  });
  const counts = await producing;
  const rest = counts.reduce((sum, count) => sum + count, 0) - seen.length;
  const arrived = await Promise.all(herd.map((follower) => follower.take(rest, 30_000)));
  const faulty = arrived.filter((items) => !isWhole([...seen, ...items]));
  t.equal(faulty.length, 0, "each of 200 clients got every event of every stream once and in order");
});

function isWhole(items: readonly Item[]): boolean {
  const next = STREAMS.map(() => 0);
  return items.every(({ data }) => next[(data as Numbered).stream]!++ === (data as Numbered).n);
}
