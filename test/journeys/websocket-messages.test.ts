import t, { type Test } from "tap";
import { newTenant, startJourney } from "../support/journey.ts";
import { openWs, type WsMessage } from "../support/ws-client.ts";
import { addEvent, PLACES } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

const CURSOR = /^[A-Za-z0-9._~-]{1,256}$/;
const FOUR_ORDER_TYPES = ["order_created", "order_updated", "order_completed", "order_failed"];
const FORMATS = [
  { name: "JSON", protocols: [], chosen: "" },
  { name: "ragline.json.v1", protocols: ["ragline.json.v1"], chosen: "ragline.json.v1" },
  { name: "ragline.msgpack.v1", protocols: ["ragline.msgpack.v1"], chosen: "ragline.msgpack.v1" },
];

function isTimestamp(t: Test, value: unknown): void {
  t.type(value, "string");
  t.notOk(Number.isNaN(Date.parse(String(value))), `${value} is a time`);
}

for (const { name, protocols, chosen } of FORMATS) {
  t.test(`with ${name}, connected says who, since when and what is subscribed to`, async (t) => {
    const tenant = newTenant();
    const token = gateway.token({ tenant, user: "anna" });
    for (const [endpoint, stream, subscriptions] of [
      ["/ws", {}, []],
      ["/ws/orders", { stream: "orders" }, FOUR_ORDER_TYPES],
    ] as const) {
      const client = await openWs(t, gateway.url + endpoint, { token, protocols });
      t.equal(client.protocol, chosen);
      const { id, data, ...rest } = await client.next();
      t.same(rest, { type: "connected", ...stream });
      t.match(id, CURSOR);
      const { client_id, timestamp, ...about } = data as Record<string, unknown>;
      t.same(about, { tenant_id: tenant, user_id: "anna", subscriptions });
      t.ok(typeof client_id === "string" && client_id !== "");
      isTimestamp(t, timestamp);
    }
  });

  t.test(`with ${name}, events are event on /ws and order_event on /ws/orders`, async (t) => {
    const tenant = newTenant();
    const token = gateway.token({ tenant });
    for (const [endpoint, type] of [
      ["/ws", "event"],
      ["/ws/orders", "order_event"],
    ] as const) {
      const client = await openWs(t, gateway.url + endpoint, { token, protocols });
      await client.next();
      for (const place of PLACES) {
        const event = { event_type: "order_updated", tenant_id: tenant, payload: { n: [1, "ü", null] } };
        await addEvent(redis, event, place);
        await addEvent(redis, { ...event, event_id: "evt-7" }, place);
        const expected = { type, event_type: "order_updated", data: { n: [1, "ü", null] }, topic: "orders" };
        const [plain, withId] = [await client.next(), await client.next()];
        t.same(withoutPosition(t, plain), expected);
        t.same(withoutPosition(t, withId), { ...expected, event_id: "evt-7" });
      }
    }
  });

  t.test(`with ${name}, ping is answered with pong`, async (t) => {
    const client = await openWs(t, `${gateway.url}/ws`, { token: gateway.token({ tenant: newTenant() }), protocols });
    await client.next();
    client.sendRaw(
      chosen === "ragline.msgpack.v1" ? Buffer.from([0x81, 0xa4, ...b("type"), 0xa4, ...b("ping")]) : PING,
    );
    const { timestamp, ...rest } = await client.next();
    t.same(rest, { type: "pong" });
    isTimestamp(t, timestamp);
  });
}

const PING = '{"type":"ping"}';
const b = (text: string) => Buffer.from(text);

function withoutPosition(t: Test, { id, timestamp, ...rest }: WsMessage): unknown {
  t.match(id, CURSOR);
  isTimestamp(t, timestamp);
  return rest;
}

t.test("a MessagePack connection gets the same maps as a JSON one", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const [json, msgpack] = await Promise.all(
    ["ragline.json.v1", "ragline.msgpack.v1"].map((protocol) =>
      openWs(t, `${gateway.url}/ws`, { token, protocols: [protocol] }),
    ),
  );
  await json!.next();
  await msgpack!.next();
  const payload = { text: "😀", list: [1, 2.5, -3, null, true], map: { "": {} } };
  for (const place of PLACES) {
    await addEvent(redis, { tenant_id: tenant, payload, event_id: `evt-${place.form}` }, place);
    t.strictSame(await msgpack!.next(), await json!.next());
  }
});

t.test("the subprotocol chosen is one of those offered, and never the token", async (t) => {
  const token = gateway.token({ tenant: newTenant() });
  const bearer = `ragline.bearer.${token}`;
  const choose = async (protocols: readonly string[]) => {
    const client = await openWs(t, `${gateway.url}/ws`, { protocols });
    t.match(await client.next(), { type: "connected" });
    return client.protocol;
  };
  t.equal(await choose([bearer, "ragline.json.v1"]), "ragline.json.v1");
  t.equal(await choose(["ragline.json.v1", bearer]), "ragline.json.v1");
  t.equal(await choose([bearer, "ragline.msgpack.v1"]), "ragline.msgpack.v1");
  t.match(await choose(["ragline.msgpack.v1", "ragline.json.v1", bearer]), /^ragline\.(json|msgpack)\.v1$/);
});

t.test("connections have different client ids", async (t) => {
  const token = gateway.token({ tenant: newTenant() });
  const ids = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const { data } = await (await openWs(t, `${gateway.url}/ws`, { token })).next();
      return (data as { client_id: string }).client_id;
    }),
  );
  t.equal(new Set(ids).size, ids.length);
});
