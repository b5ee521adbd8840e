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

  t.test(`a deleted entry of a ${place.key} stream makes a gap only for whoever has not seen it`, async (t) => {
    const { redis, gateway } = await startForgetful(t);
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const key = ordersKey(place, tenant);
    const first = await follow(t, gateway, "/stream", { token });
    const ids: string[] = [];
    for (const n of numbers(8)) ids.push(await addEvent(redis, { tenant_id: tenant, payload: n }, place));
    const positions = (await first.take(8)).map(({ id }) => id!);
    first.cut();
    await redis.xdel(key, ids[3]!);
    const comeBack = async (index: number) => follow(t, gateway, "/ws", { token, lastEventId: positions[index]! });
    for (const index of [3, 4]) {
      t.match(
        await (await comeBack(index)).take(7 - index),
        numbers(8)
          .slice(index + 1)
          .map((data) => ({ kind: "event", data })),
        "at the deleted entry or behind it nothing is missing",
      );
    }
    const { gap, events } = await gapThenEvents(await comeBack(1), 5);
    t.match(gap, { stream: "orders", reason: "trimmed", to: ids[3]! });
    t.same(events, [2, 4, 5, 6, 7]);
  });

  t.test(`the one entry ever removed from a ${place.key} stream is not missed by whoever saw it`, async (t) => {
    const { redis, gateway } = await startForgetful(t);
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const first = await follow(t, gateway, "/stream", { token });
    const id = await addEvent(redis, { tenant_id: tenant, payload: "seen" }, place);
    await first.take(1);
    first.cut();
    await addEvent(redis, { tenant_id: tenant, payload: "next" }, place);
    await redis.xdel(ordersKey(place, tenant), id);
    const again = await follow(t, gateway, "/stream", { token, lastEventId: first.position() });
    t.match(await again.take(1), [{ kind: "event", data: "next" }]);
  });
}
