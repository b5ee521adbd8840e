import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { CHANNELS, type Channel } from "../../../src/protocol/channel.ts";
import { decodeCursor } from "../../../src/protocol/cursor.ts";
import { makeFilter } from "../../../src/protocol/filter.ts";
import { partitionOf } from "../../../src/protocol/partition.ts";
import { Heartbeats } from "../../../src/worker/fanout/heartbeats.ts";
import { Hub } from "../../../src/worker/fanout/hub.ts";
import { Positions } from "../../../src/worker/fanout/positions.ts";
import { LAYOUT, Listener, QueueingSink, SHARED_ORDERS, sectionOf } from "./listener.ts";

const { sse, sseOrders, sseNotifications, ws, wsOrders } = CHANNELS;

function openHub(): { hub: Hub; sinks: QueueingSink[]; heartbeats: Heartbeats; positions: Positions } {
  const sinks: QueueingSink[] = [];
  const positions = new Positions(LAYOUT);
  const heartbeats = new Heartbeats(0);
  const openAudience = (...audience: ConstructorParameters<typeof QueueingSink>) => {
    const sink = new QueueingSink(...audience);
    sinks.push(sink);
    return sink;
  };
  return { hub: new Hub({ layout: LAYOUT, positions, heartbeats, openAudience }), sinks, heartbeats, positions };
}

function join<T extends Listener[]>(hub: Hub, ...listeners: T): T {
  for (const listener of listeners) hub.join(listener);
  return listeners;
}

t.test("an event reaches its tenant on every channel that reads its topic and type, and nobody else", async (t) => {
  const { hub } = openHub();
  const [all, orders, notifications, socket, orderSocket, other] = join(
    hub,
    ...[sse, sseOrders, sseNotifications, ws, wsOrders].map((channel) => new Listener("acme", channel)),
    new Listener("globex", ws),
  ) as [Listener, Listener, Listener, Listener, Listener, Listener];
  hub.deliver([
    sectionOf("orders", [
      { id: "1-0", tenant: "acme", type: "order_created" },
      { id: "2-0", tenant: "acme", type: "order_shipped" },
      { id: "3-0", tenant: "acme", type: "refund" },
    ]),
    sectionOf("system", [
      { id: "4-0", tenant: "acme", type: "system_alert" },
      { id: "5-0", tenant: "acme", type: "order_created" },
    ]),
  ]);
  t.strictSame(all.received, ["1-0", "2-0", "3-0", "4-0", "5-0"]);
  t.strictSame(socket.received, all.received);
  t.strictSame(orders.received, ["1-0", "2-0"]);
  t.strictSame(orderSocket.received, ["1-0", "2-0"]);
  t.strictSame(notifications.received, ["1-0", "4-0", "5-0"]);
  t.strictSame(other.received, []);
});

t.test("a filter lets through its exact names and prefixes, none lets through everything", async (t) => {
  const { hub } = openHub();
  const [exact, prefix, both, everything] = join(
    hub,
    new Listener("acme", ws, { filter: makeFilter(["order"]) }),
    new Listener("acme", ws, { filter: makeFilter(["order*"]) }),
    new Listener("acme", ws, { filter: makeFilter(["order*", "refund"]) }),
    new Listener("acme", ws),
  );
  const types = ["order", "order_created", "refund", "refunds"];
  hub.deliver([
    sectionOf(
      "orders",
      types.map((type, i) => ({ id: `${i + 1}-0`, tenant: "acme", type })),
    ),
  ]);
  t.strictSame(exact!.received, ["1-0"]);
  t.strictSame(prefix!.received, ["1-0", "2-0"]);
  t.strictSame(both!.received, ["1-0", "2-0", "3-0"]);
  t.strictSame(everything!.received, ["1-0", "2-0", "3-0", "4-0"]);
});

t.test("an event for one user goes to each of that user's connections that wants it, in its place", async (t) => {
  const { hub } = openHub();
  const [first, second, narrow, colleague, namesake] = join(
    hub,
    new Listener("acme", sse, { user: "anna" }),
    new Listener("acme", ws, { user: "anna", format: "msgpack" }),
    new Listener("acme", ws, { user: "anna", filter: makeFilter(["refund"]) }),
    new Listener("acme", sse, { user: "ben" }),
    new Listener("globex", sse, { user: "anna" }),
  );
  hub.deliver([
    sectionOf("orders", [
      { id: "1-0", tenant: "acme" },
      { id: "2-0", tenant: "acme", target: "anna" },
      { id: "3-0", tenant: "acme" },
    ]),
  ]);
  t.strictSame(first!.received, ["1-0", "2-0", "3-0"]);
  t.strictSame(second!.received, ["1-0", "2-0", "3-0"]);
  t.strictSame(narrow!.received, []);
  t.strictSame(colleague!.received, ["1-0", "3-0"]);
  t.strictSame(namesake!.received, []);
});

t.test("what was delivered is passed over the second time, and what is new behind it is not", async (t) => {
  const { hub } = openHub();
  const [listener] = join(hub, new Listener("acme", sse));
  const first = sectionOf("orders", [
    { id: "1-0", tenant: "acme" },
    { id: "2-0", tenant: "acme" },
  ]);
  hub.deliver([first]);
  hub.deliver([first]);
  hub.deliver([
    sectionOf(
      "orders",
      ["2-0", "3-0"].map((id) => ({ id, tenant: "acme" })),
    ),
  ]);
  t.strictSame(listener!.received, ["1-0", "2-0", "3-0"]);
});

t.test("a read moves its stream on, whoever listened, and wakes who waits for that", async (t) => {
  const { hub, positions } = openHub();
  const changed = positions.changed();
  hub.deliver([{ ...sectionOf("orders", [{ id: "5-0", tenant: "nobody" }]), lastId: "9-0" }]);
  await changed;
  t.equal(positions.get(SHARED_ORDERS)!.id, "9-0");
});

t.test("events of a stream the gateway does not read are not delivered", async (t) => {
  const { hub, positions } = openHub();
  const [listener] = join(hub, new Listener("acme", sse));
  hub.deliver([{ ...sectionOf("orders", [{ id: "1-0", tenant: "acme" }]), streamKey: "elsewhere" }]);
  t.strictSame(listener!.received, []);
  t.equal(positions.get("elsewhere"), undefined);
});

t.test("the cursor of a frame stands at its event, and that of a live connection after all it was sent", async (t) => {
  const { hub } = openHub();
  const [listener] = join(hub, new Listener("acme", sse));
  const partition = partitionOf("acme", LAYOUT.partitions);
  hub.deliver([
    sectionOf("orders", [{ id: "7-1", tenant: "acme" }]),
    sectionOf("orders", [{ id: "8-0", tenant: "acme" }], partition),
  ]);
  const positionsIn = (cursor: string) =>
    [...decodeCursor(cursor)!.topics.values()].map(({ shared, partitioned }) => [shared.id, partitioned.id])[0];
  t.strictSame(
    listener!.frames.map(({ id }) => id),
    listener!.cursors,
  );
  t.strictSame(listener!.cursors.map(positionsIn), [
    ["7-1", "0-0"],
    ["7-1", "8-0"],
  ]);
  t.strictSame(positionsIn(hub.cursor(listener!)), ["7-1", "8-0"]);
});

t.test("one frame is made for all who get the same bytes", async (t) => {
  const { hub, sinks } = openHub();
  join(hub, ...Array.from({ length: 50 }, (_, i) => new Listener("acme", ws, { user: `u${i}` })));
  hub.deliver([sectionOf("orders", [{ id: "1-0", tenant: "acme" }])]);
  t.strictSame(
    sinks.map(({ members, written }) => [members.size, written]),
    [[50, 1]],
  );
});

t.test("a tenant that everybody left leaves nothing behind: no room, no member, no heartbeat", async (t) => {
  const { hub, sinks, heartbeats } = openHub();
  const listeners = [new Listener("acme", sse), new Listener("acme", ws), new Listener("acme", sse, { user: "ben" })];
  join(hub, ...listeners);
  for (const listener of listeners) hub.leave(listener);
  t.equal([...hub.rooms()].length, 0);
  t.ok(sinks.every(({ members }) => members.size === 0));
  heartbeats.advance(100);
  hub.deliver([sectionOf("orders", [{ id: "1-0", tenant: "acme" }])]);
  t.ok(sinks.every(({ written }) => written === 0));
});

t.test("who leaves twice, or never joined, disturbs nobody", async (t) => {
  const { hub } = openHub();
  const [stays, leaves] = join(hub, new Listener("acme", sse), new Listener("acme", sse));
  for (const gone of [leaves!, leaves!, new Listener("acme", sse), new Listener("nobody", ws)]) hub.leave(gone);
  hub.deliver([sectionOf("orders", [{ id: "1-0", tenant: "acme" }])]);
  t.strictSame(stays!.received, ["1-0"]);
  t.strictSame(leaves!.received, []);
});

const anyTenant = fc.constantFrom("acme", "acme/x", "7");
const anyUser = fc.constantFrom("u1", "u2");
const anyType = fc.constantFrom("order", "order_created", "order_failed", "notification", "refund", "refunds");
const anyPattern = fc.constantFrom("order", "order_created", "order*", "order_*", "refund", "refund*", "n*", "*");
const anyListener = fc
  .record({
    tenant: anyTenant,
    channel: fc.constantFrom<Channel>(sse, sseOrders, sseNotifications, ws, wsOrders),
    user: anyUser,
    binary: fc.boolean(),
    patterns: fc.array(anyPattern, { maxLength: 3 }),
  })
  .map(({ tenant, channel, user, binary, patterns }) => {
    const format = channel.transport === "sse" ? "sse" : binary ? "msgpack" : "json";
    return { patterns, open: () => new Listener(tenant, channel, { user, format, filter: makeFilter(patterns) }) };
  });
const anyEvent = fc.record({
  topic: fc.constantFrom(...LAYOUT.topics),
  partitioned: fc.boolean(),
  tenant: anyTenant,
  type: anyType,
  target: fc.option(anyUser, { nil: undefined, freq: 3 }),
});
type AnyEvent = ReturnType<typeof anyEvent.generate>["value"];
const anyStep = fc.oneof(
  { weight: 2, arbitrary: fc.record({ join: anyListener }) },
  { weight: 1, arbitrary: fc.record({ leave: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ deliver: fc.array(anyEvent, { maxLength: 8 }), again: fc.boolean() }) },
);

/** What the contract promises, in its plainest form. */
function concerns({ tenant, user, channel }: Listener, patterns: readonly string[], event: AnyEvent): boolean {
  const { topic, type, target } = event;
  const wants = patterns.some((p) => (p.endsWith("*") ? type.startsWith(p.slice(0, -1)) : type === p));
  return (
    event.tenant === tenant &&
    (target === undefined || target === user) &&
    (channel.topics === null || channel.topics.includes(topic)) &&
    channel.admits(type) &&
    (patterns.length === 0 || wants)
  );
}

t.test("whoever comes and goes, each gets each event that concerns it once, and none of another tenant", async () => {
  const run = fc.property(fc.array(anyStep, { maxLength: 25 }), (steps) => {
    const { hub, sinks } = openHub();
    const everyone: { listener: Listener; patterns: readonly string[]; expected: string[]; live: boolean }[] = [];
    let last = 0;
    for (const step of steps) {
      if ("join" in step) {
        const listener = step.join.open();
        hub.join(listener);
        everyone.push({ listener, patterns: step.join.patterns, expected: [], live: true });
      } else if ("leave" in step) {
        const leaving = everyone[step.leave % everyone.length];
        if (leaving === undefined) continue;
        hub.leave(leaving.listener);
        leaving.live = false;
      } else {
        const sections = step.deliver.map((event) => {
          const id = `${++last}-0`;
          for (const { listener, patterns, expected, live } of everyone) {
            if (live && concerns(listener, patterns, event)) expected.push(id);
          }
          const { topic, partitioned, tenant, type, target } = event;
          const partition = partitioned ? partitionOf(tenant, LAYOUT.partitions) : null;
          return sectionOf(topic, [{ id, tenant, type, ...(target !== undefined && { target }) }], partition);
        });
        hub.deliver(sections);
        if (step.again) hub.deliver(sections);
      }
    }
    for (const { listener, expected } of everyone) assert.deepEqual(listener.received, expected);
    for (const { live, listener } of everyone) if (live) hub.leave(listener);
    assert.equal([...hub.rooms()].length, 0);
    assert.ok(sinks.every(({ members, unsent }) => members.size === 0 && unsent.length === 0));
  });
  fc.assert(run, { numRuns: 300 });
});
