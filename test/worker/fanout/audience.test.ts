import t from "tap";
import { CHANNELS, type Channel } from "../../../src/protocol/channel.ts";
import { EVERYTHING, makeFilter } from "../../../src/protocol/filter.ts";
import { AudienceGroup } from "../../../src/worker/fanout/audience.ts";
import { Heartbeats } from "../../../src/worker/fanout/heartbeats.ts";
import type { FrameFormat } from "../../../src/worker/fanout/subscriber.ts";
import { Listener, QueueingSink, recordOf } from "./listener.ts";

const { sse, sseNotifications, ws, wsOrders } = CHANNELS;

function openGroup(channel: Channel = ws, format: FrameFormat = "json", tenant = "acme") {
  const sinks: QueueingSink[] = [];
  const heartbeats = new Heartbeats(0);
  const openAudience = (...audience: ConstructorParameters<typeof QueueingSink>) => {
    const sink = new QueueingSink(...audience);
    sinks.push(sink);
    return sink;
  };
  const group = new AudienceGroup({ tenant, cursor: () => "1A" }, channel, format, { openAudience, heartbeats });
  const join = (...patterns: string[]) => {
    const listener = new Listener(tenant, channel, { format, filter: makeFilter(patterns) });
    return { listener, audience: group.join(listener) };
  };
  const visited = (type: string) => {
    const keys: string[] = [];
    group.forType(type, ({ filter }) => keys.push(filter.key));
    return keys.sort();
  };
  return { group, sinks, heartbeats, join, visited };
}

t.test("equal filters share one audience, however they were written", async (t) => {
  const { sinks, join } = openGroup();
  const audiences = [join("a", "b"), join("b", "a", "a"), join("c"), join(), join("*", "c")].map(
    ({ audience }) => audience,
  );
  t.equal(audiences[0], audiences[1]);
  t.equal(audiences[3], audiences[4]);
  t.equal(audiences[3]!.filter, EVERYTHING);
  t.strictSame(
    sinks.map(({ members }) => members.size),
    [2, 1, 2],
  );
});

t.test("an audience's topic starts with its tenant, and no two are the same", async (t) => {
  const groups = [openGroup(), openGroup(wsOrders), openGroup(ws, "msgpack"), openGroup(ws, "json", "acme/ws/json")];
  for (const { join } of groups) for (const patterns of [[], ["a", "b"], ["a,b"], ["a*"], ["**"]]) join(...patterns);
  const topics = groups.flatMap(({ sinks }) => sinks.map(({ topic }) => topic));
  t.equal(new Set(topics).size, 20);
  t.equal(topics[0], "acme/ws/json/*");
  t.ok(topics.at(-1)!.startsWith("acme%2Fws%2Fjson/ws/json/"));
});

t.test("each audience that wants a type is visited once, and no other", async (t) => {
  const { join, visited } = openGroup();
  for (const patterns of [[], ["order"], ["order*"], ["order*", "refund"], ["ord*", "order_created"]])
    join(...patterns);
  t.strictSame(visited("order"), ["*", "ord*", "order", "order*", "order*,refund"]);
  t.strictSame(visited("order_created"), ["*", "ord*", "order*", "order*,refund"]);
  t.strictSame(visited("refund"), ["*", "order*,refund"]);
  t.strictSame(visited("or"), ["*"]);
});

t.test("a type that ends with a star is not taken for a pattern", async (t) => {
  const { join, visited } = openGroup();
  for (const patterns of [[], ["order*"], ["order"]]) join(...patterns);
  t.strictSame(visited("order*"), ["*", "order*"]);
  t.strictSame(visited("*"), ["*"]);
});

t.test("an audience goes with its last member, and takes only its own patterns with it", async (t) => {
  const { group, join, visited } = openGroup();
  const [one, other, wider] = [join("order*", "refund"), join("order*", "refund"), join("order*")];
  group.leave(one.listener, one.audience);
  t.strictSame(visited("refund"), ["order*,refund"]);
  group.leave(other.listener, other.audience);
  t.strictSame(visited("refund"), []);
  t.strictSame(visited("order_created"), ["order*"]);
  t.notOk(group.isEmpty);
  group.leave(wider.listener, wider.audience);
  t.strictSame(visited("order_created"), []);
  t.ok(group.isEmpty);
});

t.test("who leaves still gets what was written before", async (t) => {
  const { group, sinks, join } = openGroup();
  const { listener, audience } = join();
  sinks[0]!.write(Buffer.from('{"id":"1A","data":{"from":"1-0"}}'), "1A");
  group.leave(listener, audience);
  t.strictSame(listener.received, ["1-0"]);
});

t.test("a channel lets its own topics and types pass", async (t) => {
  const record = (type: string) => recordOf({ id: "1-0", tenant: "acme", type });
  const { group } = openGroup(sseNotifications, "sse");
  t.ok(group.admits("system", record("order_created")));
  t.notOk(group.admits("system", record("order_updated")));
  t.notOk(group.admits("elsewhere", record("order_created")));
  t.ok(openGroup(sse, "sse").group.admits("elsewhere", record("anything")));
});

t.test("one heartbeat is written for a whole audience, and goes out at once, until it is empty", async (t) => {
  const { group, sinks, heartbeats, join } = openGroup(wsOrders);
  const [first, second] = [join(), join()];
  heartbeats.advance(44);
  t.equal(sinks[0]!.written, 0);
  heartbeats.advance(45);
  t.equal(sinks[0]!.written, 1);
  for (const { listener } of [first, second]) t.match(listener.frames, [{ type: "heartbeat", id: "1A" }]);
  for (const { listener, audience } of [first, second]) group.leave(listener, audience);
  heartbeats.advance(90);
  t.equal(sinks[0]!.written, 1);
});
