import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { gapThenEvents, numbers, ordersKey, startAnew, startForgetful } from "../support/gaps.ts";
import { newTenant } from "../support/journey.ts";
import { addEntry, addEvent, PLACES, sharedKey } from "../support/xadd.ts";

for (const place of PLACES.slice(0, 2)) {
  t.test(`a ${place.key} stream that was deleted makes a gap \`reset\``, async (t) => {
    const { redis, gateway } = await startForgetful(t);
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const first = await follow(t, gateway, "/stream", { token });
    const add = async (payload: unknown) => {
      await addEvent(redis, { tenant_id: tenant, payload }, place);
      await first.inbox.next(({ kind }) => kind === "event");
    };
    await add("seen");
    const lastEventId = first.position();
    await add("lost");
    await redis.del(ordersKey(place, tenant));
    for (const n of numbers(3)) await add(n);
    for (const endpoint of ENDPOINTS) {
      const again = await follow(t, gateway, endpoint, { token, lastEventId });
      const { gap, events } = await gapThenEvents(again, 3);
      t.match(gap, { stream: "orders", reason: "reset" }, endpoint);
      t.same(events, numbers(3), endpoint);
    }
  });

  t.test(`a live connection goes on after its ${place.key} stream was deleted`, async (t) => {
    const { redis, gateway } = await startForgetful(t);
    const tenant = newTenant();
    const follower = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }) });
    await addEvent(redis, { tenant_id: tenant, payload: "before" }, place);
    t.equal((await follower.next()).data, "before");
    await redis.del(ordersKey(place, tenant));
    await addEvent(redis, { tenant_id: tenant, payload: "after" }, place);
    t.equal((await follower.inbox.next(({ kind }) => kind === "event")).data, "after");
  });
}

t.test("a stream deleted while no gateway ran makes a gap `reset`", async (t) => {
  const journey = await startForgetful(t);
  const { redis, gateway } = journey;
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  await addEvent(redis, { tenant_id: tenant, payload: "seen" });
  await first.next();
  await gateway.stop();
  await addEvent(redis, { tenant_id: tenant, payload: "lost" });
  await redis.del(sharedKey("orders"));
  for (const n of numbers(3)) await addEvent(redis, { tenant_id: tenant, payload: n });
  const anew = await startAnew(t, journey);
  const again = await follow(t, anew, "/stream", { token, lastEventId: first.position() });
  const { gap, events } = await gapThenEvents(again, 3);
  t.match(gap, { stream: "orders", reason: "reset" });
  t.same(events, numbers(3));
});

t.test("a stream that went backwards makes a gap `reset`", async (t) => {
  const journey = await startForgetful(t);
  const { redis, gateway } = journey;
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  await addEvent(redis, { tenant_id: tenant, payload: "seen" });
  await first.next();
  await gateway.stop();
  await redis.del(sharedKey("orders"));
  for (const n of numbers(3)) await redis.xadd(sharedKey("orders"), `1000-${n + 1}`, ...fieldsOf(tenant, n));
  const anew = await startAnew(t, journey);
  const again = await follow(t, anew, "/ws", { token, lastEventId: first.position() });
  const { gap, events } = await gapThenEvents(again, 3);
  t.match(gap, { stream: "orders", reason: "reset" });
  t.same(events, numbers(3));
  await addEntry(redis, sharedKey("orders"), fieldsOf(tenant, "live"));
  t.equal((await again.next()).data, "live");
});

function fieldsOf(tenant: string, payload: unknown): string[] {
  return ["event_type", "order_created", "tenant_id", tenant, "payload", JSON.stringify(payload)];
}
