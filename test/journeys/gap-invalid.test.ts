import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { gapThenEvents, numbers, startForgetful } from "../support/gaps.ts";
import { newTenant } from "../support/journey.ts";
import { addEvent } from "../support/xadd.ts";

t.test("what is no cursor of ours makes a gap `invalid`, and then the earliest events", async (t) => {
  const { redis, gateway } = await startForgetful(t);
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  for (const n of numbers(5)) await addEvent(redis, { tenant_id: tenant, payload: n });
  const invalid = ["nonsense", "0", "1700000000000-0", "$", "x".repeat(300), "-", "~", "null", "1.2.3", "%00", "{}"];
  for (const lastEventId of invalid) {
    for (const cursorInQuery of [false, true]) {
      const follower = await follow(t, gateway, "/stream", { token, lastEventId, cursorInQuery });
      const { gap, events } = await gapThenEvents(follower, 5);
      t.match(gap, { stream: "orders", reason: "invalid" }, JSON.stringify(lastEventId));
      t.same(events, numbers(5));
      follower.cut();
    }
  }
  for (const endpoint of ENDPOINTS) {
    const follower = await follow(t, gateway, endpoint, { token, lastEventId: "nonsense" });
    const { gap, events } = await gapThenEvents(follower, 5);
    t.match(gap, { stream: "orders", reason: "invalid" }, endpoint);
    t.same(events, numbers(5), endpoint);
  }
});

t.test("a cursor of ours that was changed is an invalid one or a cursor, and never an error", async (t) => {
  const { redis, gateway } = await startForgetful(t);
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const { connected } = await follow(t, gateway, "/stream", { token });
  await addEvent(redis, { tenant_id: tenant, payload: "marker" });
  const changed = [
    connected.id.slice(0, -1),
    connected.id.slice(1),
    `${connected.id}x`,
    `${connected.id}.`,
    connected.id.toUpperCase(),
    [...connected.id].reverse().join(""),
    connected.id.repeat(3),
  ];
  for (const lastEventId of changed) {
    const follower = await follow(t, gateway, "/stream", { token, lastEventId });
    await addEvent(redis, { tenant_id: tenant, payload: "marker" });
    t.match(await follower.inbox.next(({ kind }) => kind === "event"), { data: "marker" }, lastEventId);
    follower.cut();
  }
});
