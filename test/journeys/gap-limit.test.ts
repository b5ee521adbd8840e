import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { isGapOf, numbers, startForgetful } from "../support/gaps.ts";
import { newTenant } from "../support/journey.ts";
import { addEvent } from "../support/xadd.ts";

t.test("more missed events than may be replayed make a gap `limit`, and no hole after it", async (t) => {
  const { redis, gateway } = await startForgetful(t, {
    RAGLINE_RESUME_MAX_EVENTS: "10",
    RAGLINE_HISTORY_BYTES: "1000000",
  });
  for (const endpoint of ENDPOINTS) {
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const first = await follow(t, gateway, endpoint, { token });
    first.cut();
    for (const n of numbers(50)) await addEvent(redis, { tenant_id: tenant, payload: n });
    const again = await follow(t, gateway, endpoint, { token, lastEventId: first.position() });
    await addEvent(redis, { tenant_id: tenant, payload: "live" });
    const gap = await again.inbox.next((item) => item.kind === "event" || isGapOf(item, "orders"));
    t.match(gap, { kind: "gap", data: { stream: "orders", reason: "limit" } }, endpoint);
    const after: unknown[] = [];
    while (after.at(-1) !== "live") after.push((await again.next()).data);
    t.ok(after.length <= 11, `${after.length - 1} were replayed`);
    t.same(after, [...numbers(50), "live"].slice(-after.length), "what came after the gap was in one piece");
  }
});

t.test("events of others do not count towards what may be replayed", async (t) => {
  const { redis, gateway } = await startForgetful(t, { RAGLINE_RESUME_MAX_EVENTS: "10" });
  const [tenant, other] = [newTenant(), newTenant()];
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  first.cut();
  for (const n of numbers(10)) {
    for (const _ of numbers(5)) await addEvent(redis, { tenant_id: other, payload: "of another tenant" });
    await addEvent(redis, { tenant_id: tenant, payload: n });
  }
  const again = await follow(t, gateway, "/stream", { token, lastEventId: first.position() });
  t.match(
    await again.take(10),
    numbers(10).map((data) => ({ kind: "event", data })),
  );
});
