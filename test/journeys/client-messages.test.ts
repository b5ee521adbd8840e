import { pack } from "msgpackr";
import t, { type Test } from "tap";
import { newTenant, startJourney } from "../support/journey.ts";
import { openWs, type WsClient } from "../support/ws-client.ts";
import { addEvent } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t, { JWT_CLOCK_TOLERANCE: "0" });

async function open(t: Test, tenant = newTenant(), path = "/ws", ttl = 3600): Promise<WsClient> {
  const client = await openWs(t, gateway.url + path, { token: gateway.token({ tenant, ttl }) });
  t.match(await client.next(), { type: "connected" });
  return client;
}

async function subscribe(t: Test, client: WsClient, subscriptions: unknown, answered: unknown): Promise<void> {
  client.send({ type: "subscribe", subscriptions });
  const { timestamp, ...rest } = await client.next();
  t.same(rest, { type: "subscription_updated", subscriptions: answered });
  t.notOk(Number.isNaN(Date.parse(String(timestamp))));
}

/** Adds one event of each type, and then a marker. @returns the types delivered before the marker. */
async function delivered(client: WsClient, tenant: string, types: readonly string[], marker: string): Promise<unknown> {
  for (const event_type of types) await addEvent(redis, { event_type, tenant_id: tenant, payload: 0 });
  await addEvent(redis, { event_type: marker, tenant_id: tenant, payload: "marker" });
  const seen: unknown[] = [];
  while (true) {
    const { event_type, data } = await client.next();
    if (data === "marker") return seen;
    seen.push(event_type);
  }
}

async function livesOn(t: Test, client: WsClient): Promise<void> {
  client.send({ type: "ping" });
  t.match(await client.next(), { type: "pong" }, "the connection lives on");
}

t.test("subscribe replaces the set of types", async (t) => {
  const tenant = newTenant();
  const client = await open(t, tenant);
  const types = ["a", "ab", "abc", "b"];
  await subscribe(t, client, ["a", "marker"], ["a", "marker"]);
  t.same(await delivered(client, tenant, types, "marker"), ["a"]);
  await subscribe(t, client, ["ab*", "marker"], ["ab*", "marker"]);
  t.same(await delivered(client, tenant, types, "marker"), ["ab", "abc"]);
  await subscribe(t, client, [], []);
  t.same(await delivered(client, tenant, types, "marker"), types);
  await subscribe(t, client, ["b"], ["b"]);
  t.same(await delivered(client, tenant, types, "b"), ["b"]);
});

t.test('"all" means everything', async (t) => {
  const tenant = newTenant();
  const client = await open(t, tenant);
  await subscribe(t, client, ["b"], ["b"]);
  await subscribe(t, client, "all", []);
  t.same(await delivered(client, tenant, ["a", "b"], "c"), ["a", "b"]);
});

t.test("on /ws/orders everything means every type that starts with order", async (t) => {
  const tenant = newTenant();
  const client = await open(t, tenant, "/ws/orders");
  const types = ["order_cancelled", "payment", "order_created", "orders"];
  t.same(await delivered(client, tenant, types, "order_failed"), ["order_created"]);
  await subscribe(t, client, [], []);
  t.same(await delivered(client, tenant, types, "order_failed"), ["order_cancelled", "order_created", "orders"]);
  await subscribe(t, client, ["payment", "order_failed"], ["payment", "order_failed"]);
  t.same(await delivered(client, tenant, types, "order_failed"), []);
});

t.test("128 subscriptions are taken, 129 are refused and change nothing", async (t) => {
  const tenant = newTenant();
  const client = await open(t, tenant);
  const names = (count: number) => Array.from({ length: count }, (_, n) => `type-${n}`);
  await subscribe(t, client, names(128), names(128));
  client.send({ type: "subscribe", subscriptions: names(129) });
  t.match(await client.next(), { type: "error", code: "bad_request", message: String });
  t.same(await delivered(client, tenant, ["other", "type-127", "type-128"], "type-0"), ["type-127"]);
});

t.test("subscriptions that are no list of names are refused and change nothing", async (t) => {
  const tenant = newTenant();
  const client = await open(t, tenant);
  await subscribe(t, client, ["a"], ["a"]);
  for (const subscriptions of [undefined, null, 7, "a", { a: 1 }, ["b", 7], [null], [["b"]]]) {
    client.send({ type: "subscribe", subscriptions });
    t.match(await client.next(), { type: "error", code: "bad_request" }, JSON.stringify(subscriptions));
  }
  t.same(await delivered(client, tenant, ["b", "c"], "a"), []);
});

t.test("get_stats is answered with statistics", async (t) => {
  const client = await open(t);
  client.send({ type: "get_stats" });
  const { type, data, timestamp, ...rest } = await client.next();
  t.equal(type, "stats");
  t.match(data, { websocket_stats: { total_connections: 1 }, sse_stats: { total_connections: 0 } });
  t.notOk(Number.isNaN(Date.parse(String(timestamp))));
  t.same(rest, {});
});

t.test("a message of unknown type is answered with bad_request that names it", async (t) => {
  const client = await open(t);
  for (const type of ["nonsense", "Ping", "toString", "__proto__"]) {
    client.send({ type });
    t.same(await client.next(), { type: "error", code: "bad_request", message: `Unknown message type: ${type}` });
  }
  await livesOn(t, client);
});

t.test("what is no JSON is answered with bad_request", async (t) => {
  const client = await open(t);
  for (const text of ["", "{", "hello", "{'type':'ping'}", '{"type":"ping"}}']) {
    client.sendRaw(text);
    t.same(await client.next(), { type: "error", code: "bad_request", message: "Invalid JSON message" }, text);
  }
  await livesOn(t, client);
});

t.test("JSON that is no message is answered with bad_request", async (t) => {
  const client = await open(t);
  for (const text of ["null", "1", '"ping"', "[]", '[{"type":"ping"}]', "{}", '{"type":7}', '{"type":null}']) {
    client.sendRaw(text);
    t.match(await client.next(), { type: "error", code: "bad_request", message: String }, text);
  }
  await livesOn(t, client);
});

t.test("a MessagePack connection takes the same messages", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const client = await openWs(t, `${gateway.url}/ws`, { token, protocols: ["ragline.msgpack.v1"] });
  await client.next();
  client.sendRaw(pack({ type: "subscribe", subscriptions: ["b"] }));
  t.match(await client.next(), { type: "subscription_updated", subscriptions: ["b"] });
  t.same(await delivered(client, tenant, ["a"], "b"), []);
  client.sendRaw(pack({ type: "nonsense" }));
  t.same(await client.next(), { type: "error", code: "bad_request", message: "Unknown message type: nonsense" });
  client.sendRaw(Buffer.from([0xc1]));
  t.match(await client.next(), { type: "error", code: "bad_request" });
  client.sendRaw(pack({ type: "get_stats" }));
  t.match(await client.next(), { type: "stats", data: { websocket_stats: {}, sse_stats: {} } });
  client.sendRaw(pack({ type: "ping" }));
  t.match(await client.next(), { type: "pong" });
});

t.test("a message of 16 KiB is read, and a larger one closes with 1009", async (t) => {
  const message = (bytes: number) => {
    const [before, after] = ['{"type":"ping","pad":"', '"}'];
    return before + "x".repeat(bytes - before.length - after.length) + after;
  };
  for (const path of ["/ws", "/ws/orders"]) {
    const client = await open(t, newTenant(), path);
    client.sendRaw(message(16 * 1024));
    t.match(await client.next(), { type: "pong" });
    client.sendRaw(message(16 * 1024 + 1));
    t.match(await client.closed, { code: 1009 }, path);
  }
  const client = await open(t);
  client.sendRaw(message(1024 * 1024));
  t.match(await client.closed, { code: 1009 }, "far larger");
});

t.test("refresh extends a connection's life beyond its first token", async (t) => {
  const tenant = newTenant();
  const [refreshed, left] = [await open(t, tenant, "/ws", 6), await open(t, tenant, "/ws", 6)];
  const longer = gateway.token({ tenant, ttl: 600 });
  refreshed.send({ type: "refresh", token: longer });
  const { type, expires_at } = await refreshed.next();
  t.equal(type, "refreshed");
  const { exp } = JSON.parse(Buffer.from(longer.split(".")[1]!, "base64url").toString());
  t.equal(typeof expires_at === "number" ? expires_at : Date.parse(String(expires_at)) / 1000, exp);
  t.match(await left.next(), { type: "error", code: "token_expired" });
  t.match(await left.closed, { code: 4401 });
  await livesOn(t, refreshed);
  t.same(await delivered(refreshed, tenant, ["a"], "b"), ["a"]);
});

t.test("refresh takes no token of another tenant or user, and none that is not valid", async (t) => {
  const [tenant, other] = [newTenant(), newTenant()];
  const bad = [
    { token: gateway.token({ tenant: other }), code: /forbidden|token_invalid|bad_request/ },
    { token: gateway.token({ tenant, user: "someone-else" }), code: /forbidden|token_invalid|bad_request/ },
    { token: gateway.token({ tenant, ttl: -60 }), code: /token_expired/ },
    { token: "nonsense", code: /token_invalid/ },
    { token: 7, code: /token_invalid|bad_request/ },
    { token: undefined, code: /token_invalid|bad_request|auth_required/ },
  ];
  for (const { token, code } of bad) {
    const client = await open(t, tenant);
    client.send({ type: "refresh", token });
    t.match(await client.next(), { type: "error", code });
  }
});
