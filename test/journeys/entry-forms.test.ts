import { pack } from "msgpackr";
import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { openSse } from "../support/sse-client.ts";
import { openWs } from "../support/ws-client.ts";
import { addEntry, addEvent, PLACES, partitionKey, sharedKey } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

const PAYLOADS: readonly unknown[] = [
  { total: 12.5, items: [{ sku: "a", n: 2 }], note: 'ü 😀 \u2028 "quoted" \\ \n', nothing: null, yes: true },
  { nested: { deep: { deeper: [[], {}, [[1]]] } }, "key with spaces": 0, "": "" },
  [1, "two", null],
  "text",
  "",
  0,
  -1.25e-7,
  4294967296,
  true,
  null,
  {},
  [],
];

for (const place of PLACES) {
  t.test(`payloads of every kind arrive from ${place.form} in ${place.key} streams`, async (t) => {
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    const followers = await Promise.all([
      ...ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token })),
      follow(t, gateway, "/ws", { token, protocols: ["ragline.msgpack.v1"] }),
    ]);
    for (const payload of PAYLOADS) await addEvent(redis, { tenant_id: tenant, payload }, place);
    for (const follower of followers) {
      const items = await follower.take(PAYLOADS.length);
      t.strictSame(
        items.map(({ data }) => data),
        PAYLOADS,
        follower.endpoint,
      );
    }
  });

  t.test(`all optional fields may be there in ${place.form} of ${place.key} streams`, async (t) => {
    const tenant = newTenant();
    const created_at = "2025-03-01T12:30:45.123456+00:00";
    const client = await openWs(t, `${gateway.url}/ws`, { token: gateway.token({ tenant }) });
    await client.next();
    const event = { topic: "system", event_type: "system_alert", tenant_id: tenant, payload: { n: 1 } } as const;
    const optional = {
      ...{ aggregate_id: "o-1", aggregate_type: "order", source_service: "billing", version: "3", user_id: "u-9" },
      ...{ correlation_id: "c-1", causation_id: "c-0", created_at, event_id: "evt-1" },
    };
    await addEvent(redis, { ...event, ...optional }, place);
    const { timestamp, id: _id, ...message } = await client.next();
    t.same(message, { type: "event", event_type: "system_alert", data: { n: 1 }, topic: "system", event_id: "evt-1" });
    t.equal(new Date(String(timestamp)).getTime(), new Date(created_at).getTime(), "timestamp is the event's own");
  });

  t.test(`without tenant_id the tenant is payload.tenant_id in ${place.form} of ${place.key} streams`, async (t) => {
    const tenant = newTenant();
    const [own, other] = await Promise.all([
      follow(t, gateway, "/stream", { token: gateway.token({ tenant }) }),
      follow(t, gateway, "/stream", { token: gateway.token({ tenant: newTenant() }) }),
    ]);
    const key = place.key === "shared" ? sharedKey("orders") : partitionKey("orders", tenant);
    const payload = { tenant_id: tenant, n: 1 };
    const fields =
      place.form === "fields"
        ? ["event_type", "order_created", "payload", JSON.stringify(payload)]
        : ["m", pack({ event_type: "order_created", payload })];
    await addEntry(redis, key, fields);
    t.same((await own.next()).data, payload);
    t.equal(other.inbox.items.length, 0);
  });

  t.test(`target_user_id singles out one user in ${place.form} of ${place.key} streams`, async (t) => {
    const tenant = newTenant();
    const open = (user: string) =>
      Promise.all(
        ENDPOINTS.flatMap((endpoint) =>
          [1, 2].map(() => follow(t, gateway, endpoint, { token: gateway.token({ tenant, user }) })),
        ),
      );
    const [anna, bert] = await Promise.all([open("anna"), open("bert")]);
    await addEvent(redis, { tenant_id: tenant, target_user_id: "anna", payload: "for anna" }, place);
    await addEvent(redis, { tenant_id: tenant, target_user_id: "an", payload: "for nobody here" }, place);
    await addEvent(redis, { tenant_id: tenant, target_user_id: "bert", payload: "for bert" }, place);
    await addEvent(redis, { tenant_id: tenant, user_id: "anna", payload: "for all" }, place);
    const take = async (follower: (typeof anna)[number]) => (await follower.take(2)).map(({ data }) => data);
    for (const follower of anna) t.same(await take(follower), ["for anna", "for all"], `anna on ${follower.endpoint}`);
    for (const follower of bert) t.same(await take(follower), ["for bert", "for all"], `bert on ${follower.endpoint}`);
  });
}

t.test("a targeted event is replayed to its user only", async (t) => {
  const tenant = newTenant();
  const tokens = { anna: gateway.token({ tenant, user: "anna" }), bert: gateway.token({ tenant, user: "bert" }) };
  const first = await follow(t, gateway, "/stream", { token: tokens.anna });
  const lastEventId = first.position();
  first.cut();
  await addEvent(redis, { tenant_id: tenant, target_user_id: "anna", payload: "for anna" });
  await addEvent(redis, { tenant_id: tenant, payload: "for all" });
  const anna = await follow(t, gateway, "/ws", { token: tokens.anna, lastEventId });
  const bert = await follow(t, gateway, "/stream", { token: tokens.bert, lastEventId });
  t.same(
    (await anna.take(2)).map(({ data }) => data),
    ["for anna", "for all"],
  );
  t.equal((await bert.next()).data, "for all");
});

t.test("integers name the same tenant and user as their text", async (t) => {
  const token = gateway.token({ tenant: "4711", user: "7" });
  const follower = await follow(t, gateway, "/stream", { token });
  const events = [
    { tenant_id: 4711, payload: "integer tenant" },
    { tenant_id: "4711", payload: "text tenant" },
    { tenant_id: undefined, payload: { tenant_id: 4711 } },
    { tenant_id: 4711, target_user_id: 7, payload: "integer user" },
    { tenant_id: 4711, target_user_id: "7", payload: "text user" },
  ];
  for (const form of ["fields", "compact"] as const) {
    for (const event of events) await addEvent(redis, event, { form, key: "shared" });
    const items = await follower.take(events.length);
    t.same(
      items.map(({ data }) => data),
      events.map(({ payload }) => payload),
    );
  }
});

t.test("the entry's tenant_id counts before the payload's", async (t) => {
  const [tenant, other] = [newTenant(), newTenant()];
  const own = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }) });
  const foreign = await follow(t, gateway, "/stream", { token: gateway.token({ tenant: other }) });
  await addEvent(redis, { tenant_id: tenant, payload: { tenant_id: other, secret: 1 } });
  await addEvent(redis, { tenant_id: other, payload: "marker" });
  t.same((await own.next()).data, { tenant_id: other, secret: 1 });
  t.equal((await foreign.next()).data, "marker");
});

t.test("the payload's JSON is handed on as it was written, on one line", async (t) => {
  const tenant = newTenant();
  const client = await openSse(t, `${gateway.url}/stream`, { token: gateway.token({ tenant }) });
  await client.next();
  const json = '{\r\n  "big": 12345678901234567890,\n  "exact": 0.1000,\r\t"text": "a\\nb"\n}';
  const fields = ["event_type", "order_created", "tenant_id", tenant, "payload", json];
  await addEntry(redis, sharedKey("orders"), fields);
  const { data } = await client.next();
  t.match(data, /12345678901234567890/, "no digit is lost");
  t.same(JSON.parse(data), JSON.parse(json));
});

t.test("an event of almost 1 MiB arrives whole on every endpoint", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const followers = await Promise.all(ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token })));
  const payload = { text: "é".repeat(500_000) };
  await addEvent(redis, { tenant_id: tenant, payload });
  await addEvent(redis, { tenant_id: tenant, payload }, PLACES[1]);
  for (const follower of followers) {
    for (const { data } of await follower.take(2)) t.ok((data as { text: string }).text === payload.text);
  }
});
