import t, { type Test } from "tap";
import { ENDPOINTS, type Follower, follow, type Item } from "../support/follow.ts";
import { ordersKey } from "../support/gaps.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { joinedWorkers } from "../support/workers.ts";
import { addEvent, PLACES, type Place } from "../support/xadd.ts";

/** The next item must be a gap of topic `orders` for this reason. */
async function expectGap(t: Test, follower: Follower, reason: string): Promise<void> {
  t.match(await follower.next(), { kind: "gap", data: { stream: "orders", reason } }, follower.endpoint);
}

/** Clients on both workers, each of which was sent one event. */
async function startWithClients(t: Test, place: Place) {
  const { redis, gateway } = await startJourney(t);
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const clients = await onBothWorkers((i) => follow(t, gateway, ENDPOINTS[i % ENDPOINTS.length]!, { token }));
  await addEvent(redis, { tenant_id: tenant, payload: "before" }, place);
  for (const client of clients) t.equal((await client.next()).data, "before");
  return { redis, gateway, tenant, token, clients };
}

for (const place of PLACES.slice(0, 2)) {
  t.test(
    `connected clients are told when their ${place.key} stream was deleted, and get what comes next`,
    async (t) => {
      const { redis, gateway, tenant, token, clients } = await startWithClients(t, place);
      await redis.del(ordersKey(place, tenant));
      for (const client of clients) await expectGap(t, client, "reset");
      await addEvent(redis, { tenant_id: tenant, payload: "after" }, place);
      for (const client of clients) t.equal((await client.next()).data, "after", client.endpoint);

      for (const client of clients) client.cut();
      await addEvent(redis, { tenant_id: tenant, payload: "later" }, place);
      for (const { endpoint, position } of clients) {
        const again = await follow(t, gateway, endpoint, { token, lastEventId: position() });
        t.equal((await again.next()).data, "later", "the gap was said once");
      }
    },
  );

  t.test(`connected clients are told what was trimmed from their ${place.key} stream before it was read`, async (t) => {
    const { redis, gateway, tenant, clients } = await startWithClients(t, place);
    const workers = await joinedWorkers(gateway);
    for (const { pid } of workers) process.kill(pid, "SIGSTOP");
    try {
      for (const payload of ["lost", "lost too", "first", "second"]) {
        await addEvent(redis, { tenant_id: tenant, payload }, place);
      }
      await redis.xtrim(ordersKey(place, tenant), "MAXLEN", 2);
    } finally {
      for (const { pid } of workers) process.kill(pid, "SIGCONT");
    }
    for (const client of clients) {
      const items: Item[] = [];
      while (items.at(-1)?.data !== "second") items.push(await client.next());
      // Redis may have handed the first one to the waiting read before it was trimmed.
      const events = items.filter(({ kind }) => kind === "event").map(({ data }) => data);
      if (events[0] === "lost") events.shift();
      t.same(events, ["first", "second"], client.endpoint);
      const before = items[items.findIndex(({ data }) => data === "first") - 1];
      t.match(before, { kind: "gap", data: { stream: "orders", reason: "trimmed" } }, "the gap is in its place");
    }
  });
}

t.test("FLUSHALL makes one gap for each stream there was, and delivery goes on", async (t) => {
  const { redis, gateway } = await startJourney(t);
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const client = await follow(t, gateway, "/stream", { token });
  for (const place of PLACES.slice(0, 2)) await addEvent(redis, { tenant_id: tenant, payload: "before" }, place);
  await client.take(2);
  await redis.flushall();
  await expectGap(t, client, "reset");
  await expectGap(t, client, "reset");
  for (const place of PLACES.slice(0, 2)) await addEvent(redis, { tenant_id: tenant, payload: "after" }, place);
  for (const { data } of await client.take(2)) t.equal(data, "after");
});
