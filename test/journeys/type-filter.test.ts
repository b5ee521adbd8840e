import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { addEvent } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

const TYPES = ["order_created", "order_created_v2", "order_failed", "order", "payment_processed", "payment", "marker"];

/** What of TYPES each endpoint delivers, apart from `?types=`. */
const ADMITTED = {
  "/stream": TYPES,
  "/stream/orders": TYPES.filter((type) => type.startsWith("order")),
  "/stream/notifications": ["order_created", "order_failed", "payment_processed"],
  "/ws": TYPES,
  "/ws/orders": TYPES.filter((type) => type.startsWith("order")),
};

const FILTERS: readonly { types: readonly string[]; passes: (type: string) => boolean }[] = [
  { types: ["order_created"], passes: (type) => type === "order_created" },
  {
    types: ["order_created", "payment_processed"],
    passes: (type) => ["order_created", "payment_processed"].includes(type),
  },
  { types: ["order_created*"], passes: (type) => type.startsWith("order_created") },
  { types: ["pay*", "order_failed"], passes: (type) => type.startsWith("pay") || type === "order_failed" },
  { types: ["*"], passes: () => true },
  { types: ["order*created"], passes: () => false },
  { types: ["ORDER_CREATED"], passes: () => false },
];

for (const { types, passes } of FILTERS) {
  t.test(`?types=${types} narrows every endpoint`, async (t) => {
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const followers = await Promise.all(ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token, types })));
    const witness = await follow(t, gateway, "/stream", { token });
    for (const event_type of [...TYPES, ...TYPES]) {
      await addEvent(redis, { event_type, tenant_id: tenant, payload: event_type });
    }
    await witness.take(2 * TYPES.length);

    for (const follower of followers) {
      const expected = ADMITTED[follower.endpoint].filter(passes);
      const items = await follower.take(2 * expected.length);
      const delivered = items.map(({ type }) => type);
      t.same(delivered, [...expected, ...expected], `${follower.endpoint} delivers the matching types in order`);
    }
    for (const { endpoint, inbox } of followers) {
      t.equal(inbox.items.length, 2 * ADMITTED[endpoint].filter(passes).length, `${endpoint} delivers nothing else`);
    }
  });
}

t.test("a type with characters of the query is matched when it is percent-encoded", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const type = "order & größe=1+1%20";
  const follower = await follow(t, gateway, "/stream", { token, types: [type] });
  const socket = await follow(t, gateway, "/ws", { token, types: [type] });
  await addEvent(redis, { event_type: "order", tenant_id: tenant, payload: 1 });
  await addEvent(redis, { event_type: type, tenant_id: tenant, payload: 2 });
  t.match(await follower.next(), { type, data: 2 });
  t.match(await socket.next(), { type, data: 2 });
});

t.test("on WebSocket ?types= is the initial subscription set", async (t) => {
  const token = gateway.token({ tenant: newTenant() });
  const types = ["order_cancelled", "payment*"];
  const subscriptions = async (endpoint: "/ws" | "/ws/orders", query: readonly string[] | undefined) => {
    const { connected } = await follow(t, gateway, endpoint, { token, ...(query && { types: query }) });
    return (connected.data as { subscriptions: unknown }).subscriptions;
  };
  t.same(await subscriptions("/ws", undefined), []);
  t.same(await subscriptions("/ws", types), types);
  t.same(await subscriptions("/ws/orders", types), types);
  t.same(await subscriptions("/ws/orders", undefined), [
    "order_created",
    "order_updated",
    "order_completed",
    "order_failed",
  ]);
});

t.test("on /ws/orders ?types= replaces the four initial types", async (t) => {
  const tenant = newTenant();
  const follower = await follow(t, gateway, "/ws/orders", { token: gateway.token({ tenant }), types: ["order_can*"] });
  await addEvent(redis, { event_type: "order_created", tenant_id: tenant, payload: 1 });
  await addEvent(redis, { event_type: "order_cancelled", tenant_id: tenant, payload: 2 });
  t.match(await follower.next(), { type: "order_cancelled", data: 2 });
});
