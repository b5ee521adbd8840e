import t, { type Test } from "tap";
import { ENDPOINTS, type Endpoint, type Follower, follow, type Item } from "../support/follow.ts";
import { startGateway } from "../support/gateway.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { addEvent, PLACES, type Topic } from "../support/xadd.ts";

const { server, redis, gateway } = await startJourney(t);

/** Adds events with these payloads to one stream. */
async function add(tenant: string, payloads: readonly unknown[], topic: Topic = "orders", place = PLACES[0]) {
  for (const payload of payloads) await addEvent(redis, { topic, tenant_id: tenant, payload }, place);
}

const payloads = (items: readonly Item[]) => items.map(({ data }) => data);

async function gets(t: Test, follower: Follower, expected: readonly unknown[], message?: string): Promise<void> {
  t.same(payloads(await follower.take(expected.length)), expected, message ?? follower.endpoint);
}

for (const endpoint of ENDPOINTS) {
  for (const cursorInQuery of [false, true]) {
    const where = cursorInQuery ? "the query" : "the header";
    t.test(`${endpoint} resumes from an event's id in ${where}`, async (t) => {
      const tenant = newTenant();
      const token = gateway.token({ tenant });
      const first = await follow(t, gateway, endpoint, { token });
      await add(tenant, [1, 2, 3]);
      const [, second] = await first.take(3);
      first.cut();
      await add(tenant, [4, 5]);
      const again = await follow(t, gateway, endpoint, { token, lastEventId: second!.id!, cursorInQuery });
      await add(tenant, [6]);
      await gets(t, again, [3, 4, 5, 6]);
    });
  }

  t.test(`${endpoint} resumes from connected's id`, async (t) => {
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    await add(tenant, ["before"]);
    const first = await follow(t, gateway, endpoint, { token });
    first.cut();
    for (const place of PLACES) await add(tenant, ["away"], "orders", place);
    const again = await follow(t, gateway, endpoint, { token, lastEventId: first.connected.id });
    await gets(
      t,
      again,
      PLACES.map(() => "away"),
    );
    await add(tenant, ["live"]);
    await gets(t, again, ["live"]);
  });

  t.test(`${endpoint} resumes with ?types= from where it stood`, async (t) => {
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const types = ["order_failed"];
    const first = await follow(t, gateway, endpoint, { token, types });
    await add(tenant, [1, 2]);
    await addEvent(redis, { event_type: "order_failed", tenant_id: tenant, payload: 3 });
    await gets(t, first, [3]);
    first.cut();
    await add(tenant, [4]);
    await addEvent(redis, { event_type: "order_failed", tenant_id: tenant, payload: 5 });
    const again = await follow(t, gateway, endpoint, { token, types, lastEventId: first.position() });
    await addEvent(redis, { event_type: "order_failed", tenant_id: tenant, payload: 6 });
    await gets(t, again, [5, 6]);
  });
}

t.test("a cursor goes from SSE to WebSocket, to MessagePack and back", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  let lastEventId = first.position();
  first.cut();
  const journey: readonly (readonly [Endpoint, readonly string[]])[] = [
    ["/ws", []],
    ["/stream", []],
    ["/ws", ["ragline.msgpack.v1"]],
    ["/stream", []],
  ];
  for (const [index, [endpoint, protocols]] of journey.entries()) {
    await add(tenant, [`away ${index}`], "notifications", PLACES[index]!);
    const follower = await follow(t, gateway, endpoint, { token, lastEventId, protocols });
    await add(tenant, [`live ${index}`], "notifications", PLACES[index]!);
    await gets(t, follower, [`away ${index}`, `live ${index}`]);
    lastEventId = follower.position();
    follower.cut();
  }
});

t.test("a cursor is good on either worker", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  await add(tenant, [1, 2]);
  await first.take(2);
  first.cut();
  await add(tenant, [3, 4, 5], "orders", PLACES[0]);
  const again = await onBothWorkers((index) =>
    follow(t, gateway, index % 2 === 0 ? "/stream" : "/ws", { token, lastEventId: first.position() }),
  );
  await add(tenant, [6], "orders", PLACES[0]);
  for (const follower of again) await gets(t, follower, [3, 4, 5, 6]);
});

t.test("a cursor is good on another gateway that reads the same Redis", async (t) => {
  const tenant = newTenant();
  const other = await startGateway(t, { redis: server, secret: gateway.secret });
  const token = gateway.token({ tenant });
  for (const place of PLACES) {
    const first = await follow(t, gateway, "/stream", { token });
    await add(tenant, [1], "orders", place);
    await gets(t, first, [1]);
    first.cut();
    await add(tenant, [2], "orders", place);
    const second = await follow(t, other, "/stream", { token, lastEventId: first.position() });
    await gets(t, second, [2]);
    second.cut();
    await add(tenant, [3], "orders", place);
    const third = await follow(t, gateway, "/ws", { token, lastEventId: second.position() });
    await add(tenant, [4], "orders", place);
    await gets(t, third, [3, 4]);
    third.cut();
  }
});

t.test("two gateways each deliver every event", async (t) => {
  const tenant = newTenant();
  const other = await startGateway(t, { redis: server, secret: gateway.secret });
  const token = gateway.token({ tenant });
  const followers = [await follow(t, gateway, "/stream", { token }), await follow(t, other, "/stream", { token })];
  for (const place of PLACES) await add(tenant, [1, 2, 3], "system", place);
  for (const follower of followers) {
    t.same(payloads(await follower.take(12)).sort(), [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
  }
});

t.test("a cursor of /stream keeps its position on a path that reads fewer topics", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  await add(tenant, ["o1"]);
  await gets(t, first, ["o1"]);
  await add(tenant, ["n1"], "notifications");
  await gets(t, first, ["n1"]);
  first.cut();
  await add(tenant, ["o2"]);
  await add(tenant, ["n2"], "notifications");
  for (const endpoint of ["/stream/orders", "/ws/orders"] as const) {
    const orders = await follow(t, gateway, endpoint, { token, lastEventId: first.position() });
    await gets(t, orders, ["o2"]);
  }
});

t.test("streams a cursor does not name start now", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const orders = await follow(t, gateway, "/stream/orders", { token });
  orders.cut();
  await add(tenant, ["n1"], "notifications");
  await add(tenant, ["o1"]);
  const witness = await follow(t, gateway, "/stream", { token, lastEventId: orders.connected.id });
  await gets(t, witness, ["o1"]);
  await add(tenant, ["n2"], "notifications");
  await gets(t, witness, ["n2"], "and not what was there before");
});

t.test("ids of a replay are positions to resume from as well", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const first = await follow(t, gateway, "/stream", { token });
  first.cut();
  const numbers = Array.from({ length: 30 }, (_, n) => n);
  await add(tenant, numbers);
  const replayed = await (await follow(t, gateway, "/stream", { token, lastEventId: first.position() })).take(30);
  for (const n of [0, 13, 28]) {
    const again = await follow(t, gateway, "/ws", { token, lastEventId: replayed[n]!.id! });
    await gets(t, again, numbers.slice(n + 1));
  }
});

t.test("a cursor goes on being good after the gateway was started anew", async (t) => {
  const tenant = newTenant();
  const old = await startGateway(t, { redis: server });
  const token = old.token({ tenant });
  const first = await follow(t, old, "/stream", { token });
  await add(tenant, [1]);
  await gets(t, first, [1]);
  first.cut();
  await old.stop();
  for (const place of PLACES) await add(tenant, [2], "orders", place);
  const anew = await startGateway(t, { redis: server, secret: old.secret });
  const again = await follow(t, anew, "/stream", { token, lastEventId: first.position() });
  await gets(t, again, [2, 2, 2, 2]);
  await add(tenant, [3]);
  await gets(t, again, [3]);
});
