import t from "tap";
import { ENDPOINTS, type Endpoint, follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { addEvent, PLACES, type Topic } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

const EVENTS: readonly (readonly [Topic, string])[] = [
  ["orders", "order_created"],
  ["orders", "order_updated"],
  ["orders", "order_completed"],
  ["orders", "order_failed"],
  ["orders", "order_cancelled"],
  ["orders", "order"],
  ["orders", "orders.shipped"],
  ["orders", "Order_created"],
  ["orders", "reorder"],
  ["orders", "payment_processed"],
  ["notifications", "notification"],
  ["notifications", "notification_read"],
  ["notifications", "order_created"],
  ["notifications", "promotion"],
  ["system", "system_alert"],
  ["system", "system"],
  ["system", "order_failed"],
  ["system", "payment_processed"],
];

const NOTIFICATION_TYPES = [
  ...["order_created", "order_completed", "order_failed"],
  ...["payment_processed", "notification", "system_alert"],
];
const FOUR_ORDER_TYPES = ["order_created", "order_updated", "order_completed", "order_failed"];

const ADMITS: Readonly<Record<Endpoint, (topic: Topic, type: string) => boolean>> = {
  "/stream": () => true,
  "/stream/orders": (topic, type) => topic === "orders" && type.startsWith("order"),
  "/stream/notifications": (_topic, type) => NOTIFICATION_TYPES.includes(type),
  "/ws": () => true,
  "/ws/orders": (topic, type) => topic === "orders" && FOUR_ORDER_TYPES.includes(type),
};

for (const place of PLACES) {
  t.test(`every endpoint delivers its topics and types from ${place.form} in ${place.key} streams`, async (t) => {
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const followers = await Promise.all(ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token })));
    const witness = await follow(t, gateway, "/stream", { token });

    for (const [index, [topic, event_type]] of EVENTS.entries()) {
      await addEvent(redis, { topic, event_type, tenant_id: tenant, payload: { index } }, place);
    }
    await witness.take(EVENTS.length);
    const addMarker = () => addEvent(redis, { tenant_id: tenant, payload: "marker" }, place);
    await addMarker();

    for (const follower of followers) {
      const admits = ADMITS[follower.endpoint];
      const expected = [...EVENTS.entries()].filter(([, [topic, type]]) => admits(topic, type));
      const items = await follower.take(expected.length + 1);
      t.same(
        items.map(({ type, data }) => `${type} ${JSON.stringify(data)}`).sort(),
        [...expected.map(([index, [, type]]) => `${type} {"index":${index}}`), 'order_created "marker"'].sort(),
        `${follower.endpoint} delivers what it should and nothing else`,
      );
      const ofOrders = items.filter(({ data }) => data === "marker" || EVENTS[indexOf(data)]?.[0] === "orders");
      t.same(
        ofOrders.map(({ data }) => indexOf(data)),
        [...expected.filter(([, [topic]]) => topic === "orders").map(([index]) => index), -1],
        `${follower.endpoint} keeps the order of a stream`,
      );
    }
    await addMarker();
    for (const follower of followers) t.equal((await follower.next()).data, "marker", "nothing came late");
  });
}

function indexOf(data: unknown): number {
  return (data as { index?: number }).index ?? -1;
}

t.test("delivery starts now: what was added before connecting is not delivered", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  for (const place of PLACES) await addEvent(redis, { tenant_id: tenant, payload: "before" }, place);
  const followers = await Promise.all(ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token })));
  for (const place of PLACES) await addEvent(redis, { tenant_id: tenant, payload: "after" }, place);
  for (const follower of followers) {
    const items = await follower.take(PLACES.length);
    t.same(
      items.map(({ data }) => data),
      PLACES.map(() => "after"),
    );
  }
});

t.test("every delivered id is another one, of at most 256 characters of the cursor's alphabet", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const followers = await Promise.all(ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token })));
  for (const place of PLACES)
    for (let n = 0; n < 10; n++) await addEvent(redis, { tenant_id: tenant, payload: n }, place);
  for (const follower of followers) {
    const items = await follower.take(10 * PLACES.length);
    const ids = [follower.connected.id, ...items.map(({ id }) => String(id))];
    t.same(
      ids.filter((id) => !/^[A-Za-z0-9._~-]{1,256}$/.test(id)),
      [],
    );
    t.equal(new Set(ids).size, ids.length);
  }
});
