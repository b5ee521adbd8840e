import t, { type Test } from "tap";
import { WebSocket } from "ws";
import {
  type Connection,
  type ConnectOptions,
  connect,
  type GatewayEvent,
  type StateChange,
  type Transport,
} from "../../src/browser/client.ts";
import { Recorded } from "./recorded.ts";
import { type StandInGateway, startStandIn, WebSocketVisit } from "./stand-in-gateway.ts";

interface Client {
  connection: Connection;
  events: Recorded<GatewayEvent>;
  states: Recorded<StateChange>;
  others: Recorded<unknown>;
}

/** A client with waits of at most 2 ms. */
function follow(t: Test, gateway: StandInGateway, options: Partial<ConnectOptions> = {}): Client {
  const events = new Recorded<GatewayEvent>();
  const states = new Recorded<StateChange>();
  const others = new Recorded<unknown>();
  const connection = connect({
    url: gateway.url,
    token: "a.b.c",
    backoff: { baseMs: 1, maxMs: 2 },
    WebSocket,
    onEvent: (event) => events.push(event),
    onGap: (gap) => others.push(gap),
    onError: (error) => others.push(error),
    onState: (change) => states.push(change),
    ...options,
  });
  t.teardown(() => connection.close());
  return { connection, events, states, others };
}

async function standIn(t: Test, options?: { webSockets: boolean }): Promise<StandInGateway> {
  const gateway = await startStandIn(options);
  t.teardown(() => gateway.stop());
  return gateway;
}

const isOpen = ({ state }: StateChange) => state === "open";
const isWaiting = ({ state }: StateChange) => state === "waiting";
const isClosed = ({ state }: StateChange) => state === "closed";

const transports: { transport: Transport; paths: Record<string, string> }[] = [
  { transport: "ws", paths: { all: "/v1/events/ws", orders: "/v1/events/ws/orders" } },
  {
    transport: "sse",
    paths: {
      all: "/v1/events/stream",
      orders: "/v1/events/stream/orders",
      notifications: "/v1/events/stream/notifications",
    },
  },
];

for (const { transport, paths } of transports) {
  t.test(`over ${transport}`, async (t) => {
    t.test("every channel has its path behind the prefix", async (t) => {
      const gateway = await standIn(t);
      for (const [index, [channel, path]] of Object.entries(paths).entries()) {
        follow(t, gateway, { transport, channel: channel as "all" });
        t.equal((await gateway.visits.at(index)).path, path);
      }
    });

    t.test("the token never stands in the URL, and a first connection asks for no id", async (t) => {
      const gateway = await standIn(t);
      follow(t, gateway, { transport });
      const visit = await gateway.visits.at(0);
      t.equal(visit.token, "a.b.c");
      t.equal(visit.query.toString(), "");
    });

    t.test("types and a given id go into the query", async (t) => {
      const gateway = await standIn(t);
      follow(t, gateway, { transport, types: ["order_created", "note*"], lastEventId: "p.1~x" });
      const { query } = await gateway.visits.at(0);
      t.equal(query.get("types"), "order_created,note*");
      t.equal(query.get("last_event_id"), "p.1~x");
    });

    t.test("it is open when the gateway says so, not before", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      t.equal(connection.state, "connecting");
      await (await gateway.visits.at(0)).connected("p0");
      await states.first(isOpen);
      t.same(states.all, [
        { state: "connecting", transport },
        { state: "open", transport },
      ]);
      t.equal(connection.state, "open");
      t.equal(connection.transport, transport);
      t.equal(connection.lastEventId, "p0");
    });

    t.test("an event comes with its id, type and payload", async (t) => {
      const gateway = await standIn(t);
      const { connection, events } = follow(t, gateway, { transport });
      const visit = await gateway.visits.at(0);
      await visit.connected("p0");
      visit.event("p1", "order_created", { total: 7, note: "zwei\nZeilen" });
      t.match(await events.at(0), { id: "p1", type: "order_created", data: { total: 7, note: "zwei\nZeilen" } });
      t.equal(connection.lastEventId, "p1");
    });

    t.test("after a cut it goes on from the last event", async (t) => {
      const gateway = await standIn(t);
      const { events, states } = follow(t, gateway, { transport });
      const visit = await gateway.visits.at(0);
      await visit.connected("p0");
      visit.event("p1", "x", 1);
      await events.at(0);
      visit.cut();
      const next = await gateway.visits.at(1);
      t.equal(next.query.get("last_event_id"), "p1");
      t.match(await states.first(isWaiting), { reason: "network", transport });
      await next.connected("p1");
      next.event("p2", "x", 2);
      t.equal((await events.at(1)).data, 2);
    });

    t.test("the ids of connected and of heartbeats move the position too", async (t) => {
      const gateway = await standIn(t);
      const { others, states } = follow(t, gateway, { transport });
      const first = await gateway.visits.at(0);
      await first.connected("p0");
      await states.first(isOpen);
      first.cut();
      const second = await gateway.visits.at(1);
      t.equal(second.query.get("last_event_id"), "p0");
      await second.connected("p0");
      second.event("p1", "x", 1);
      second.heartbeat("p2");
      second.gap({ stream: "orders", reason: "trimmed" });
      await others.at(0);
      second.cut();
      t.equal((await gateway.visits.at(2)).query.get("last_event_id"), "p2");
    });

    t.test("an event that is sent again is given once", async (t) => {
      const gateway = await standIn(t);
      const { events } = follow(t, gateway, { transport });
      const first = await gateway.visits.at(0);
      await first.connected("p0");
      for (const id of ["p1", "p2", "p2"]) first.event(id, "x", id);
      await events.first(({ id }) => id === "p2");
      first.cut();
      const second = await gateway.visits.at(1);
      await second.connected("p2");
      for (const id of ["p1", "p2", "p3"]) second.event(id, "x", id);
      await events.first(({ id }) => id === "p3");
      t.same(
        events.all.map(({ id }) => id),
        ["p1", "p2", "p3"],
      );
    });

    t.test("a gap is passed on, and does not move the position", async (t) => {
      const gateway = await standIn(t);
      const { connection, others } = follow(t, gateway, { transport });
      const visit = await gateway.visits.at(0);
      await visit.connected("p0");
      visit.gap({ stream: "orders", reason: "trimmed", from: "1-0", to: "5-0" });
      t.same(await others.at(0), { stream: "orders", reason: "trimmed", from: "1-0", to: "5-0" });
      t.equal(connection.lastEventId, "p0");
    });

    t.test("it waits at least as long as a reconnect message says", async (t) => {
      const gateway = await standIn(t);
      const { states } = follow(t, gateway, { transport });
      const visit = await gateway.visits.at(0);
      await visit.connected("p0");
      visit.reconnect(40);
      await visit.refuse("going_away");
      const { reason, retryInMs = 0 } = await states.first(isWaiting);
      t.equal(reason, "going_away");
      t.ok(retryInMs >= 40 && retryInMs <= 42);
      t.equal((await gateway.visits.at(1)).query.get("last_event_id"), "p0");
    });

    for (const code of ["forbidden", "revoked"] as const) {
      t.test(`${code} is the end, even with a token function`, async (t) => {
        const gateway = await standIn(t);
        const { connection, states } = follow(t, gateway, { transport, token: () => "a.b.c" });
        await (await gateway.visits.at(0)).refuse(code);
        t.match(await states.first(isClosed), { state: "closed", reason: code });
        t.equal(connection.state, "closed");
      });
    }

    for (const code of ["token_invalid", "token_expired"] as const) {
      t.test(`${code} is the end for a plain token`, async (t) => {
        const gateway = await standIn(t);
        const { states } = follow(t, gateway, { transport });
        await (await gateway.visits.at(0)).refuse(code);
        t.match(await states.first(isClosed), { reason: code });
      });

      t.test(`${code} makes it ask the token function until there is another token`, async (t) => {
        const gateway = await standIn(t);
        const tokens = ["old.b.c", "old.b.c", "old.b.c", "new.b.c"];
        const { states } = follow(t, gateway, { transport, token: async () => tokens.shift() ?? "late.b.c" });
        const first = await gateway.visits.at(0);
        await first.connected("p0");
        await first.refuse(code);
        const second = await gateway.visits.at(1);
        t.equal(first.token, "old.b.c");
        t.equal(second.token, "new.b.c");
        t.equal(second.query.get("last_event_id"), "p0");
        t.equal(states.all.filter(({ reason }) => reason === code).length, 3);
      });
    }

    for (const code of ["quota_exceeded", "overloaded"] as const) {
      t.test(`${code} makes it wait and come back`, async (t) => {
        const gateway = await standIn(t);
        const { states } = follow(t, gateway, { transport });
        await (await gateway.visits.at(0)).refuse(code);
        t.match(await states.first(isWaiting), { reason: code });
        await (await gateway.visits.at(1)).connected("p0");
        await states.first(isOpen);
      });
    }

    t.test("a token function that fails is asked again", async (t) => {
      const gateway = await standIn(t);
      let calls = 0;
      const { states } = follow(t, gateway, {
        transport,
        token() {
          calls += 1;
          if (calls === 1) throw new Error("no sign-in server");
          return "a.b.c";
        },
      });
      await gateway.visits.at(0);
      t.match(await states.first(isWaiting), { reason: "token_unavailable" });
    });

    t.test("a token that no header could carry is not sent", async (t) => {
      const gateway = await standIn(t);
      const { states } = follow(t, gateway, { transport, token: "not a\ntoken" });
      t.match(await states.first(isClosed), { reason: "token_invalid" });
      t.equal(gateway.visits.all.length, 0);
    });

    t.test("a gateway that never answers is left after the connect timeout", async (t) => {
      const gateway = await standIn(t);
      const { states } = follow(t, gateway, { transport, connectTimeoutMs: 30 });
      const visit = await gateway.visits.at(0);
      await visit.over;
      t.match(await states.first(isWaiting), { reason: "timeout" });
      await gateway.visits.at(1);
    });

    t.test("an open connection that has gone silent is left after the idle timeout", async (t) => {
      const gateway = await standIn(t);
      const { states } = follow(t, gateway, { transport, idleTimeoutMs: 30 });
      await (await gateway.visits.at(0)).connected("p0");
      t.match(await states.first(isWaiting), { reason: "timeout" });
      t.equal((await gateway.visits.at(1)).query.get("last_event_id"), "p0");
    });

    t.test("dropConnection cuts and goes on at once from the last id", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      const visit = await gateway.visits.at(0);
      await visit.connected("p0");
      await states.first(isOpen);
      connection.dropConnection();
      t.equal(connection.state, "connecting");
      await visit.over;
      t.equal((await gateway.visits.at(1)).query.get("last_event_id"), "p0");
    });

    t.test("dropConnection can stay away for a while", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      await (await gateway.visits.at(0)).connected("p0");
      await states.first(isOpen);
      connection.dropConnection(20);
      t.same(states.all.at(-1), { state: "waiting", reason: "dropped", retryInMs: 20, transport });
      await gateway.visits.at(1);
    });

    t.test("close ends it for good, also while it waits", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      const visit = await gateway.visits.at(0);
      await visit.connected("p0");
      await states.first(isOpen);
      connection.close();
      await visit.over;
      connection.close();
      connection.dropConnection();
      connection.subscribe([]);
      t.same(
        states.all.filter(({ state }) => state === "closed"),
        [{ state: "closed", reason: "closed", transport }],
      );
      t.equal(connection.lastEventId, "p0");
    });

    t.test("a callback may close the connection, and nothing comes after that", async (t) => {
      const gateway = await standIn(t);
      const { connection, events, states } = follow(t, gateway, {
        transport,
        onEvent(event) {
          events.push(event);
          connection.close();
        },
      });
      const visit = await gateway.visits.at(0);
      await visit.connected("p0");
      visit.event("p1", "x", 1);
      visit.event("p2", "x", 2);
      await visit.over;
      t.equal(events.all.length, 1);
      t.match(states.all.at(-1), { state: "closed" });
    });

    t.test("closed before it began, it never visits", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      connection.close();
      await new Promise(setImmediate);
      t.same(states.all, [{ state: "closed", reason: "closed", transport }]);
      t.equal(gateway.visits.all.length, 0);
    });
  });
}

t.test("over ws: subscribe is a message, and later connections ask for the new types", async (t) => {
  const gateway = await standIn(t);
  const { connection, states } = follow(t, gateway, { transport: "ws" });
  const visit = await gateway.visits.at(0);
  await visit.connected("p0");
  await states.first(isOpen);
  connection.subscribe(["payment*"]);
  t.ok(visit instanceof WebSocketVisit);
  t.same(await (visit as WebSocketVisit).received.at(0), { type: "subscribe", subscriptions: ["payment*"] });
  visit.cut();
  t.equal((await gateway.visits.at(1)).query.get("types"), "payment*");
});

t.test("over ws: an event also has its topic, its time and the id of its producer", async (t) => {
  const gateway = await standIn(t);
  const { events } = follow(t, gateway, { transport: "ws" });
  const visit = await gateway.visits.at(0);
  await visit.connected("p0");
  visit.event("p1", "x", null);
  t.same(await events.at(0), {
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
  const visit = await gateway.visits.at(0);
  await visit.connected("p0");
  await states.first(isOpen);
  connection.subscribe([]);
  const { query } = await gateway.visits.at(1);
  t.equal(query.get("types"), "*");
  t.equal(query.get("last_event_id"), "p0");
});

t.test("over sse: retry-after is the least wait", async (t) => {
  const gateway = await standIn(t);
  const { states } = follow(t, gateway, { transport: "sse" });
  await (await gateway.visits.at(0)).refuse("overloaded", 0.04);
  const { reason, retryInMs = 0 } = await states.first(isWaiting);
  t.equal(reason, "overloaded");
  t.ok(retryInMs >= 40 && retryInMs <= 42);
  await gateway.visits.at(1);
});

t.test("over sse: an event whose own type is that of a message of the gateway is still an event", async (t) => {
  const gateway = await standIn(t);
  const { events, others } = follow(t, gateway, { transport: "sse" });
  const visit = await gateway.visits.at(0);
  await visit.connected("p0");
  visit.event("p1", "error", { code: 7 });
  t.same(await events.at(0), { id: "p1", type: "error", data: { code: 7 } });
  t.same(others.all, []);
});

t.test("an error message is passed on, whether it ends the connection or not", async (t) => {
  const gateway = await standIn(t);
  for (const [index, transport] of (["ws", "sse"] as const).entries()) {
    const { others, states } = follow(t, gateway, { transport });
    const visit = await gateway.visits.at(index);
    await visit.connected("p0");
    await visit.refuse("revoked");
    t.same(await others.at(0), { code: "revoked", message: "Refused: revoked" });
    await states.first(isClosed);
  }
});

t.test("auto uses a WebSocket when it can", async (t) => {
  const gateway = await standIn(t);
  follow(t, gateway);
  t.equal((await gateway.visits.at(0)).transport, "ws");
});

t.test("auto falls back to SSE after two WebSockets that did not get through", async (t) => {
  const gateway = await standIn(t, { webSockets: false });
  const { states } = follow(t, gateway);
  const visit = await gateway.visits.at(0);
  t.equal(visit.transport, "sse");
  await visit.connected("p0");
  await states.first(isOpen);
  t.same(
    states.all.filter(({ state }) => state === "connecting").map(({ transport }) => transport),
    ["ws", "ws", "sse"],
  );
});

t.test("auto tries WebSocket again when SSE does not get through either", async (t) => {
  const gateway = await standIn(t, { webSockets: false });
  const { states } = follow(t, gateway);
  (await gateway.visits.at(0)).cut();
  await states.first(({ state, transport }) => state === "connecting" && transport === "ws", 5);
  t.equal((await gateway.visits.at(1)).transport, "sse");
});

t.test("auto keeps to WebSocket when it is the gateway that refuses", async (t) => {
  const gateway = await standIn(t);
  follow(t, gateway);
  for (const index of [0, 1, 2]) {
    const visit = await gateway.visits.at(index);
    t.equal(visit.transport, "ws");
    await visit.refuse("overloaded");
  }
});

t.test("auto follows notifications, which have no WebSocket, over SSE", async (t) => {
  const gateway = await standIn(t);
  follow(t, gateway, { channel: "notifications" });
  t.equal((await gateway.visits.at(0)).path, "/v1/events/stream/notifications");
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
  t.equal((await gateway.visits.at(0)).transport, "sse");
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
  t.same(await states.at(0), { state: "waiting", reason: "offline", transport: "sse" });

  navigator.onLine = true;
  network.dispatchEvent(new Event("online"));
  const visit = await gateway.visits.at(0);
  await visit.connected("p0");
  await states.first(isOpen);

  network.dispatchEvent(new Event("offline"));
  t.match(states.all.at(-1), { state: "waiting", reason: "offline" });
  await visit.over;
  network.dispatchEvent(new Event("online"));
  t.equal((await gateway.visits.at(1)).query.get("last_event_id"), "p0");

  connection.close();
  network.dispatchEvent(new Event("online"));
  t.equal(connection.state, "closed");
});
