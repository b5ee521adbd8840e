import t from "tap";
import { WebSocket } from "ws";
import { connect } from "../../src/browser/client.ts";
import { follow, isOpen, isWaiting, standIn } from "./following-client.ts";
import { WebSocketVisit } from "./stand-in-gateway.ts";

t.test("over ws: subscribe is a message, and later connections ask for the new types", async (t) => {
  const gateway = await standIn(t);
  const { connection, states } = follow(t, gateway, { transport: "ws" });
  const visit = await gateway.visits.next();
  await visit.connected("p0");
  await states.next(isOpen);
  connection.subscribe(["payment*"]);
  t.ok(visit instanceof WebSocketVisit);
  t.same(await (visit as WebSocketVisit).received.next(), { type: "subscribe", subscriptions: ["payment*"] });
  visit.cut();
  t.equal((await gateway.visits.next()).query.get("types"), "payment*");
});

t.test("over ws: an event also has its topic, its time and the id of its producer", async (t) => {
  const gateway = await standIn(t);
  const { events } = follow(t, gateway, { transport: "ws" });
  const visit = await gateway.visits.next();
  await visit.connected("p0");
  visit.event("p1", "x", null);
  t.same(await events.next(), {
    id: "p1",
    type: "x",
    data: null,
    topic: "orders",
    timestamp: "2025-01-01T00:00:00Z",
    eventId: "e-p1",
  });
});

t.test("over sse: subscribe goes on from the last id with the new types, an empty list asking for all", async (t) => {
  const gateway = await standIn(t);
  const { connection, states } = follow(t, gateway, { transport: "sse", types: ["x"] });
  const visit = await gateway.visits.next();
  await visit.connected("p0");
  await states.next(isOpen);
  connection.subscribe([]);
  const { query } = await gateway.visits.next();
  t.equal(query.get("types"), "*");
  t.equal(query.get("last_event_id"), "p0");
});

t.test("over sse: retry-after is the least wait", async (t) => {
  const gateway = await standIn(t);
  const { states } = follow(t, gateway, { transport: "sse" });
  await (await gateway.visits.next()).refuse("overloaded", 0.04);
  const { reason, retryInMs = 0 } = await states.next(isWaiting);
  t.equal(reason, "overloaded");
  t.ok(retryInMs >= 40 && retryInMs <= 42);
  await gateway.visits.next();
});

t.test("over sse: an event whose own type is that of a message of the gateway is still an event", async (t) => {
  const gateway = await standIn(t);
  const { events, others } = follow(t, gateway, { transport: "sse" });
  const visit = await gateway.visits.next();
  await visit.connected("p0");
  visit.event("p1", "error", { code: 7 });
  t.same(await events.next(), { id: "p1", type: "error", data: { code: 7 } });
  t.same(others.items, []);
});

t.test("auto uses a WebSocket when it can", async (t) => {
  const gateway = await standIn(t);
  follow(t, gateway);
  t.equal((await gateway.visits.next()).transport, "ws");
});

t.test("auto falls back to SSE after two WebSockets that did not get through", async (t) => {
  const gateway = await standIn(t, { webSockets: false });
  const { states } = follow(t, gateway);
  const visit = await gateway.visits.next();
  t.equal(visit.transport, "sse");
  await visit.connected("p0");
  await states.next(isOpen);
  t.same(
    states.items.filter(({ state }) => state === "connecting").map(({ transport }) => transport),
    ["ws", "ws", "sse"],
  );
});

t.test("auto tries WebSocket again when SSE does not get through either", async (t) => {
  const gateway = await standIn(t, { webSockets: false });
  const { states } = follow(t, gateway);
  (await gateway.visits.next()).cut();
  await states.next(({ state, transport }) => state === "connecting" && transport === "sse");
  await states.next(({ state, transport }) => state === "connecting" && transport === "ws");
  t.equal((await gateway.visits.next()).transport, "sse");
});

t.test("auto keeps to WebSocket when it is the gateway that refuses", async (t) => {
  const gateway = await standIn(t);
  follow(t, gateway);
  for (let visits = 0; visits < 3; visits++) {
    const visit = await gateway.visits.next();
    t.equal(visit.transport, "ws");
    await visit.refuse("overloaded");
  }
});

t.test("auto follows notifications, which have no WebSocket, over SSE", async (t) => {
  const gateway = await standIn(t);
  follow(t, gateway, { channel: "notifications" });
  t.equal((await gateway.visits.next()).path, "/v1/events/stream/notifications");
});

t.test("what cannot work is refused at once", async (t) => {
  const options = { token: "a.b.c", onEvent() {}, WebSocket };
  t.throws(() => connect({ ...options, url: "http://localhost", transport: "ws", channel: "notifications" }), {
    message: /no WebSocket for the channel "notifications"/,
  });
  t.throws(() => connect({ ...options, url: "ftp://localhost" }), { message: /http or https/ });
  t.throws(() => connect({ ...options, url: "nowhere" }));
});

t.test("without any WebSocket auto uses SSE, and ws is refused at once", async (t) => {
  const gateway = await standIn(t);
  t.intercept(globalThis, "WebSocket", { value: undefined });
  const { WebSocket: _, ...options } = { url: gateway.url, token: "a.b.c", onEvent() {}, WebSocket };
  const connection = connect(options);
  t.teardown(() => connection.close());
  t.equal((await gateway.visits.next()).transport, "sse");
  t.throws(() => connect({ ...options, transport: "ws" }), { message: /pass the option WebSocket/ });
});

t.test("while the browser is offline it does not try, and goes on once it is online", async (t) => {
  const gateway = await standIn(t);
  const network = new EventTarget();
  const navigator = { onLine: false };
  t.intercept(globalThis, "navigator", { value: navigator });
  t.intercept(globalThis, "addEventListener", { value: network.addEventListener.bind(network) });
  t.intercept(globalThis, "removeEventListener", { value: network.removeEventListener.bind(network) });
  // A gateway on this machine is reached without a network; so it needs another name here.
  const { connection, states } = follow(t, gateway, {
    transport: "sse",
    url: gateway.url.replace("127.0.0.1", "gateway.test"),
    fetch: (url, init) => fetch(String(url).replace("gateway.test", "127.0.0.1"), init),
  });
  t.same(await states.next(), { state: "waiting", reason: "offline", transport: "sse" });

  navigator.onLine = true;
  network.dispatchEvent(new Event("online"));
  const visit = await gateway.visits.next();
  await visit.connected("p0");
  await states.next(isOpen);

  network.dispatchEvent(new Event("offline"));
  t.match(states.items.at(-1), { state: "waiting", reason: "offline" });
  await visit.over;
  network.dispatchEvent(new Event("online"));
  t.equal((await gateway.visits.next()).query.get("last_event_id"), "p0");

  connection.close();
  network.dispatchEvent(new Event("offline"));
  t.equal(connection.state, "closed");
});
