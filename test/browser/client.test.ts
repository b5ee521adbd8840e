import t from "tap";
import type { Transport } from "../../src/browser/client.ts";
import { follow, isOpen, isWaiting, standIn } from "./following-client.ts";

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
      for (const [channel, path] of Object.entries(paths)) {
        follow(t, gateway, { transport, channel: channel as "all" });
        t.equal((await gateway.visits.next()).path, path);
      }
    });

    t.test("the token never stands in the URL, and a first connection asks for no id", async (t) => {
      const gateway = await standIn(t);
      follow(t, gateway, { transport });
      const visit = await gateway.visits.next();
      t.equal(visit.token, "a.b.c");
      t.equal(visit.query.toString(), "");
    });

    t.test("types and a given id go into the query", async (t) => {
      const gateway = await standIn(t);
      follow(t, gateway, { transport, types: ["order_created", "note*"], lastEventId: "p.1~x" });
      const { query } = await gateway.visits.next();
      t.equal(query.get("types"), "order_created,note*");
      t.equal(query.get("last_event_id"), "p.1~x");
    });

    t.test("it is open when the gateway says so, not before", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      t.equal(connection.state, "connecting");
      await (await gateway.visits.next()).connected("p0");
      await states.next(isOpen);
      t.same(states.items, [
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
      const visit = await gateway.visits.next();
      await visit.connected("p0");
      visit.event("p1", "order_created", { total: 7, note: "zwei\nZeilen" });
      t.match(await events.next(), { id: "p1", type: "order_created", data: { total: 7, note: "zwei\nZeilen" } });
      t.equal(connection.lastEventId, "p1");
    });

    t.test("after a cut it goes on from the last event", async (t) => {
      const gateway = await standIn(t);
      const { events, states } = follow(t, gateway, { transport });
      const visit = await gateway.visits.next();
      await visit.connected("p0");
      visit.event("p1", "x", 1);
      await events.next();
      visit.cut();
      const next = await gateway.visits.next();
      t.equal(next.query.get("last_event_id"), "p1");
      t.match(await states.next(isWaiting), { reason: "network", transport });
      await next.connected("p1");
      next.event("p2", "x", 2);
      t.equal((await events.next()).data, 2);
    });

    t.test("the ids of connected and of heartbeats move the position too", async (t) => {
      const gateway = await standIn(t);
      const { others, states } = follow(t, gateway, { transport });
      const first = await gateway.visits.next();
      await first.connected("p0");
      await states.next(isOpen);
      first.cut();
      const second = await gateway.visits.next();
      t.equal(second.query.get("last_event_id"), "p0");
      await second.connected("p0");
      second.event("p1", "x", 1);
      second.heartbeat("p2");
      second.gap({ stream: "orders", reason: "trimmed" });
      await others.next();
      second.cut();
      t.equal((await gateway.visits.next()).query.get("last_event_id"), "p2");
    });

    t.test("an event that is sent again is given once", async (t) => {
      const gateway = await standIn(t);
      const { events } = follow(t, gateway, { transport });
      const first = await gateway.visits.next();
      await first.connected("p0");
      for (const id of ["p1", "p2", "p2"]) first.event(id, "x", id);
      await events.next(({ id }) => id === "p2");
      first.cut();
      const second = await gateway.visits.next();
      await second.connected("p2");
      for (const id of ["p1", "p2", "p3"]) second.event(id, "x", id);
      await events.next(({ id }) => id === "p3");
      t.same(
        events.items.map(({ id }) => id),
        ["p1", "p2", "p3"],
      );
    });

    t.test("a gap is passed on, and does not move the position", async (t) => {
      const gateway = await standIn(t);
      const { connection, others } = follow(t, gateway, { transport });
      const visit = await gateway.visits.next();
      await visit.connected("p0");
      visit.gap({ stream: "orders", reason: "trimmed", from: "1-0", to: "5-0" });
      t.same(await others.next(), { stream: "orders", reason: "trimmed", from: "1-0", to: "5-0" });
      t.equal(connection.lastEventId, "p0");
    });

    t.test("dropConnection cuts and goes on at once from the last id", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      const visit = await gateway.visits.next();
      await visit.connected("p0");
      await states.next(isOpen);
      connection.dropConnection();
      t.equal(connection.state, "connecting");
      await visit.over;
      t.equal((await gateway.visits.next()).query.get("last_event_id"), "p0");
    });

    t.test("dropConnection can stay away for a while", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      await (await gateway.visits.next()).connected("p0");
      await states.next(isOpen);
      connection.dropConnection(20);
      t.same(states.items.at(-1), { state: "waiting", reason: "dropped", retryInMs: 20, transport });
      await gateway.visits.next();
    });

    t.test("close ends it for good, whatever is asked of it afterwards", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      const visit = await gateway.visits.next();
      await visit.connected("p0");
      await states.next(isOpen);
      connection.close();
      await visit.over;
      connection.close();
      connection.dropConnection();
      connection.subscribe([]);
      t.same(
        states.items.filter(({ state }) => state === "closed"),
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
      const visit = await gateway.visits.next();
      await visit.connected("p0");
      visit.event("p1", "x", 1);
      visit.event("p2", "x", 2);
      await visit.over;
      t.equal(events.items.length, 1);
      t.match(states.items.at(-1), { state: "closed" });
    });

    t.test("closed before it began, it never visits", async (t) => {
      const gateway = await standIn(t);
      const { connection, states } = follow(t, gateway, { transport });
      connection.close();
      await new Promise(setImmediate);
      t.same(states.items, [{ state: "closed", reason: "closed", transport }]);
      t.equal(gateway.visits.items.length, 0);
    });
  });
}
