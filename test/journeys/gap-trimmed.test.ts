import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { gapThenEvents, numbers, ordersKey, startForgetful } from "../support/gaps.ts";
import { newTenant } from "../support/journey.ts";
import { addEvent, PLACES } from "../support/xadd.ts";

for (const place of PLACES.slice(0, 2)) {
  t.test(`entries trimmed from a ${place.key} stream make a gap \`trimmed\``, async (t) => {
    const { redis, gateway } = await startForgetful(t);
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    for (const endpoint of ENDPOINTS) {
      const first = await follow(t, gateway, endpoint, { token });
      await addEvent(redis, { tenant_id: tenant, payload: "seen" }, place);
      t.equal((await first.next()).data, "seen");
      first.cut();
      // What the gateway has read before the trim it may still deliver: only what comes later shows what is gone.
      const witness = await follow(t, gateway, endpoint, { token });
      for (const n of numbers(10)) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
      await witness.take(10);
      witness.cut();
      await redis.xtrim(ordersKey(place, tenant), "MAXLEN", 3);
      const again = await follow(t, gateway, endpoint, { token, lastEventId: first.position() });
      const { gap, events } = await gapThenEvents(again, 3);
      t.match(gap, { stream: "orders", reason: "trimmed" }, endpoint);
      t.same(events, [7, 8, 9], endpoint);
      await addEvent(redis, { tenant_id: tenant, payload: "live" }, place);
      t.equal((await again.next()).data, "live");
      again.cut();
    }
  });

  t.test(
    `where Redis cannot say whether trimmed entries of a ${place.key} stream were seen, a gap is said`,
    async (t) => {
      const { redis, gateway } = await startForgetful(t);
      const tenant = newTenant();
      const token = gateway.token({ tenant });
      const first = await follow(t, gateway, "/stream", { token });
      for (const n of numbers(5)) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
      await first.take(5);
      first.cut();
      for (const n of [5, 6]) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
      await redis.xtrim(ordersKey(place, tenant), "MAXLEN", 2);
      const again = await follow(t, gateway, "/stream", { token, lastEventId: first.position() });
      const { gap, events } = await gapThenEvents(again, 2);
      t.match(gap, { stream: "orders", reason: "trimmed" });
      t.same(events, [5, 6]);
    },
  );

  t.test(`nothing is said when the last entry seen of a ${place.key} stream is still there`, async (t) => {
    const { redis, gateway } = await startForgetful(t);
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const first = await follow(t, gateway, "/stream", { token });
    for (const n of numbers(5)) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
    await first.take(5);
    first.cut();
    for (const n of [5, 6]) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
    await redis.xtrim(ordersKey(place, tenant), "MAXLEN", 3);
    const again = await follow(t, gateway, "/stream", { token, lastEventId: first.position() });
    t.match(await again.take(2), [
      { kind: "event", data: 5 },
      { kind: "event", data: 6 },
    ]);
  });
}
