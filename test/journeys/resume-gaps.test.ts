import t, { type Test } from "tap";
import { ENDPOINTS, type Follower, follow, type Item } from "../support/follow.ts";
import { startGateway } from "../support/gateway.ts";
import { connectToRedis, newTenant } from "../support/journey.ts";
import { startTestRedis } from "../support/redis.ts";
import { addEntry, addEvent, PLACES, partitionKey, sharedKey } from "../support/xadd.ts";

const EVENT_FIELDS = (tenant: string, payload: unknown) => [
  ...["event_type", "order_created", "tenant_id", tenant, "payload", JSON.stringify(payload)],
];

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** A gateway with nothing in memory, so that what Redis still has is all there is. */
async function start(t: Test, env: Readonly<Record<string, string>> = {}) {
  const server = await startTestRedis(t);
  const gateway = await startGateway(t, { redis: server, env: { RAGLINE_HISTORY_BYTES: "0", ...env } });
  return { server, redis: connectToRedis(t, server), gateway };
}

/** The gap that stands before everything of `orders`, and the payloads of the `count` events after it. */
async function gapThenEvents(follower: Follower, count: number): Promise<{ gap: unknown; events: unknown[] }> {
  const gap = await follower.inbox.next((item) => item.kind === "event" || isGapOf(item, "orders"));
  const events = await follower.inbox.take(count, (item) => item.kind === "event" || isGapOf(item, "orders"));
  return {
    gap: gap.kind === "gap" ? gap.data : `no gap but ${JSON.stringify(gap)}`,
    events: events.map(({ data }) => data),
  };
}

function isGapOf({ kind, data }: Item, stream: string): boolean {
  return kind === "gap" && (data as { stream: string }).stream === stream;
}

t.test("what is no cursor of ours makes a gap `invalid`, and then the earliest events", async (t) => {
  const { redis, gateway } = await start(t);
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
    await addEvent(redis, { topic: "orders", tenant_id: tenant, target_user_id: "nobody", payload: "unseen" });
    t.same(events, numbers(5), endpoint);
  }
});

t.test("a cursor of ours that was changed is an invalid one or a cursor, and never an error", async (t) => {
  const { redis, gateway } = await start(t);
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

for (const place of PLACES.slice(0, 2)) {
  const keyOf = (tenant: string) => (place.key === "shared" ? sharedKey("orders") : partitionKey("orders", tenant));

  t.test(`entries trimmed from a ${place.key} stream make a gap \`trimmed\``, async (t) => {
    const { redis, gateway } = await start(t);
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
      await redis.xtrim(keyOf(tenant), "MAXLEN", 3);
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
      const { redis, gateway } = await start(t);
      const tenant = newTenant();
      const token = gateway.token({ tenant });
      const first = await follow(t, gateway, "/stream", { token });
      for (const n of numbers(5)) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
      await first.take(5);
      first.cut();
      for (const n of [5, 6]) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
      await redis.xtrim(keyOf(tenant), "MAXLEN", 2);
      const again = await follow(t, gateway, "/stream", { token, lastEventId: first.position() });
      const { gap, events } = await gapThenEvents(again, 2);
      t.match(gap, { stream: "orders", reason: "trimmed" });
      t.same(events, [5, 6]);
    },
  );

  t.test(`nothing is said when the last entry seen of a ${place.key} stream is still there`, async (t) => {
    const { redis, gateway } = await start(t);
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const first = await follow(t, gateway, "/stream", { token });
    for (const n of numbers(5)) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
    await first.take(5);
    first.cut();
    for (const n of [5, 6]) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
    await redis.xtrim(keyOf(tenant), "MAXLEN", 3);
    const again = await follow(t, gateway, "/stream", { token, lastEventId: first.position() });
    t.match(await again.take(2), [
      { kind: "event", data: 5 },
      { kind: "event", data: 6 },
    ]);
  });

  t.test(`a ${place.key} stream that was deleted makes a gap \`reset\``, async (t) => {
    const { redis, gateway } = await start(t);
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const first = await follow(t, gateway, "/stream", { token });
    await addEvent(redis, { tenant_id: tenant, payload: "seen" }, place);
    await first.next();
    const lastEventId = first.position();
    await redis.del(keyOf(tenant));
    for (const n of numbers(3)) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
    for (const endpoint of ENDPOINTS) {
      const again = await follow(t, gateway, endpoint, { token, lastEventId });
      const { gap, events } = await gapThenEvents(again, 3);
      t.match(gap, { stream: "orders", reason: "reset" }, endpoint);
      t.same(events, numbers(3), endpoint);
    }
  });

  t.test(`a live connection goes on after its ${place.key} stream was deleted`, async (t) => {
    const { redis, gateway } = await start(t);
    const tenant = newTenant();
    const follower = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }) });
    await addEvent(redis, { tenant_id: tenant, payload: "before" }, place);
    t.equal((await follower.next()).data, "before");
    await redis.del(keyOf(tenant));
    await addEvent(redis, { tenant_id: tenant, payload: "after" }, place);
    t.equal((await follower.inbox.next(({ kind }) => kind === "event")).data, "after");
  });
}

t.test("a stream deleted while no gateway ran makes a gap `reset`", async (t) => {
  const { server, redis, gateway } = await start(t);
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  await addEvent(redis, { tenant_id: tenant, payload: "seen" });
  await first.next();
  await gateway.stop();
  await addEvent(redis, { tenant_id: tenant, payload: "lost" });
  await redis.del(sharedKey("orders"));
  for (const n of numbers(3)) await addEvent(redis, { tenant_id: tenant, payload: n });
  const anew = await startGateway(t, { redis: server, secret: gateway.secret });
  const again = await follow(t, anew, "/stream", { token, lastEventId: first.position() });
  const { gap, events } = await gapThenEvents(again, 3);
  t.match(gap, { stream: "orders", reason: "reset" });
  t.same(events, numbers(3));
});

t.test("a stream that went backwards makes a gap `reset`", async (t) => {
  const { server, redis, gateway } = await start(t);
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  await addEvent(redis, { tenant_id: tenant, payload: "seen" });
  await first.next();
  await gateway.stop();
  await redis.del(sharedKey("orders"));
  for (const n of numbers(3)) await redis.xadd(sharedKey("orders"), `1000-${n + 1}`, ...EVENT_FIELDS(tenant, n));
  const anew = await startGateway(t, { redis: server, secret: gateway.secret });
  const again = await follow(t, anew, "/ws", { token, lastEventId: first.position() });
  const { gap, events } = await gapThenEvents(again, 3);
  t.match(gap, { stream: "orders", reason: "reset" });
  t.same(events, numbers(3));
  await addEntry(redis, sharedKey("orders"), EVENT_FIELDS(tenant, "live"));
  t.equal((await again.next()).data, "live");
});

t.test("more missed events than may be replayed make a gap `limit`, and no hole after it", async (t) => {
  const { redis, gateway } = await start(t, { RAGLINE_RESUME_MAX_EVENTS: "10", RAGLINE_HISTORY_BYTES: "1000000" });
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
  const { redis, gateway } = await start(t, { RAGLINE_RESUME_MAX_EVENTS: "10" });
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
