import { setTimeout as delay } from "node:timers/promises";
import t, { type Test } from "tap";
import { type Endpoint, follow, type Item } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { addEvent, PLACES } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

async function workerPids(): Promise<number[]> {
  const { json } = await request(`${gateway.adminUrl}/status`);
  return (json as { workers: { pid: number }[] }).workers.map(({ pid }) => pid).sort();
}

interface Numbered {
  readonly stream: number;
  readonly n: number;
}

/** Follows to the end, coming back with the last id whenever the connection is cut. */
async function persevere(
  t: Test,
  endpoint: Endpoint,
  token: string,
  ready: () => void,
  isDone: (items: Item[]) => boolean,
) {
  const items: Item[] = [];
  let lastEventId: string | undefined;
  while (!isDone(items)) {
    try {
      const follower = await follow(t, gateway, endpoint, { token, ...(lastEventId !== undefined && { lastEventId }) });
      lastEventId ??= follower.connected.id;
      ready();
      while (!isDone(items)) {
        const item = await follower.next();
        items.push(item);
        lastEventId = item.id ?? lastEventId;
      }
    } catch {
      // Cut with its worker, or refused while that is being replaced.
      await delay(100);
    }
  }
  return items;
}

t.test("when a worker dies nothing is lost or repeated, and it is replaced", async (t) => {
  const tenants = [newTenant(), newTenant(), newTenant(), newTenant()];
  const PER_STREAM = 400;
  const expected = PER_STREAM * 2;
  let connected = 0;
  const following = tenants.flatMap((tenant) => {
    const token = gateway.token({ tenant });
    const isDone = (items: Item[]) => items.length >= expected;
    return (["/stream", "/ws", "/stream", "/ws"] as const).map((endpoint) => {
      let counted = false;
      const ready = () => {
        if (!counted) connected++;
        counted = true;
      };
      return persevere(t, endpoint, token, ready, isDone);
    });
  });
  await until("every client to be connected", () => connected === following.length);

  const [victim, survivor] = await workerPids();
  for (let n = 0; n < PER_STREAM; n++) {
    if (n === PER_STREAM / 4) process.kill(victim!, "SIGKILL");
    for (const tenant of tenants) {
      for (const [stream, place] of PLACES.slice(0, 2).entries()) {
        const payload: Numbered = { stream, n };
        await addEvent(redis, { tenant_id: tenant, payload }, place);
      }
    }
    await delay(5);
  }

  const followed = await Promise.all(following);
  for (const items of followed) {
    const numbers = [0, 1].map((stream) =>
      items.filter(({ data }) => (data as Numbered).stream === stream).map(({ data }) => (data as Numbered).n),
    );
    const inOrder = numbers.every((ns) => ns.length === PER_STREAM && ns.every((n, index) => n === index));
    t.ok(inOrder, "every event of both streams once and in order");
    t.ok(items.every(({ kind }) => kind === "event"));
  }

  const pids = await until("another worker", async () => {
    const now = await workerPids().catch((): number[] => []);
    return now.length === 2 && !now.includes(victim!) && now;
  });
  t.ok(pids.includes(survivor!), "the other worker was left alone");
  const token = gateway.token({ tenant: tenants[0]! });
  const again = await onBothWorkers(() => follow(t, gateway, "/stream", { token }));
  await addEvent(redis, { tenant_id: tenants[0]!, payload: "after" });
  for (const follower of again) t.equal((await follower.next()).data, "after");
});
