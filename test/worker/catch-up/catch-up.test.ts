import t, { type Test } from "tap";
import { CHANNELS } from "../../../src/protocol/channel.ts";
import { makeFilter } from "../../../src/protocol/filter.ts";
import { callsOf } from "../../support/command-stats.ts";
import { openRedis } from "../redis-fixture.ts";
import { Producer, someTurns, streamOf, Visitor, World, type WorldOptions } from "./world.ts";

const { sse, ws, wsOrders } = CHANNELS;

async function openWorld(t: Test, options?: WorldOptions) {
  const { client } = await openRedis(t);
  return { client, world: new World(client, options), producer: new Producer(client) };
}

const upTo = (count: number, from = 1) => Array.from({ length: count }, (_, i) => from + i);

t.test("who returns gets what it missed from memory: Redis is not asked, however many come", async (t) => {
  const { client, world, producer } = await openWorld(t);
  const first = await world.visit(new Visitor("acme", sse));
  await producer.add(300);
  await world.deliver();
  const before = await callsOf(client, "xrange");
  const crowd = await Promise.all(
    upTo(200).map((i) => world.visit(new Visitor("acme", i % 2 ? sse : ws), first.frames[99]!.id)),
  );
  await world.allLive(crowd);
  t.ok(crowd.every(({ story }) => JSON.stringify(story) === JSON.stringify(upTo(200, 101))));
  t.equal(await callsOf(client, "xrange"), before);
  t.equal(await callsOf(client, "xinfo|stream"), 0);
});

t.test("from memory and from Redis come the same bytes with the same cursors, on every path", async (t) => {
  const { client } = await openRedis(t);
  const producer = new Producer(client);
  const [keeps, forgets] = [new World(client), new World(client, { historyBytes: 0 })];
  const start = (await keeps.visit(new Visitor("acme", sse))).greeting;
  for (const i of upTo(60)) {
    await producer.add(1, {
      tenant: i % 5 === 0 ? "globex" : "acme",
      topic: ["orders", "system"][i % 2]!,
      shared: i % 3 === 0,
      ...(i % 7 === 0 && { target: i % 2 === 0 ? "u1" : "u2" }),
    });
  }
  for (const world of [keeps, forgets]) await world.deliver();
  for (const options of [
    { channel: sse },
    { channel: ws },
    { channel: ws, format: "msgpack" as const },
    { channel: sse, filter: makeFilter(["none", "t*"]) },
    { channel: wsOrders, filter: makeFilter(["t"]) },
  ]) {
    const { channel, ...rest } = options;
    const [fromMemory, fromRedis] = await Promise.all(
      [keeps, forgets].map((world) => world.visit(new Visitor("acme", channel, rest), start)),
    );
    await Promise.all([keeps.allLive([fromMemory!]), forgets.allLive([fromRedis!])]);
    t.ok(channel === wsOrders || fromMemory!.frames.length > 40);
    t.strictSame(fromMemory!.frames, fromRedis!.frames);
  }
});

t.test("who takes MessagePack is answered from Redis where the memory holds JSON alone", async (t) => {
  const { client, world, producer } = await openWorld(t);
  const first = await world.visit(new Visitor("acme", ws));
  world.msgpack = false;
  await producer.add(3);
  await world.deliver();
  world.msgpack = true;
  await producer.add(2);
  await world.deliver();
  const before = await callsOf(client, "xrange");
  const json = await world.visit(new Visitor("acme", ws), first.greeting);
  const binary = await world.visit(new Visitor("acme", ws, { format: "msgpack" }), first.greeting);
  const later = await world.visit(new Visitor("acme", ws, { format: "msgpack" }), first.frames[2]!.id);
  await world.allLive([json, binary, later]);
  t.strictSame(json.story, upTo(5));
  t.strictSame(binary.story, upTo(5));
  t.strictSame(later.story, [4, 5]);
  t.equal((await callsOf(client, "xrange")) - before, 1, "once, for the one that goes back so far");
  for (const [i, frame] of binary.frames.entries()) t.strictSame({ ...frame }, { ...json.frames[i] });
});

t.test("what was before the tenant came here is read from Redis, the rest from memory", async (t) => {
  const { client } = await openRedis(t);
  const producer = new Producer(client);
  const [elsewhere, world] = [new World(client), new World(client)];
  const { greeting } = await elsewhere.visit(new Visitor("acme", sse));
  await producer.add(200);
  await world.deliver();
  await world.visit(new Visitor("acme", sse));
  await producer.add(200);
  await world.deliver();
  const before = await callsOf(client, "xrange");
  const again = await world.visit(new Visitor("acme", sse), greeting);
  await world.allLive([again]);
  t.strictSame(again.story, upTo(400));
  t.equal((await callsOf(client, "xrange")) - before, 2, "the second piece ends where the memory begins");
});

t.test("a tenant that nobody follows any more is forgotten, and remembered from where it comes back", async (t) => {
  const { world, producer } = await openWorld(t);
  const first = await world.visit(new Visitor("acme", sse));
  await producer.add(3);
  await world.deliver();
  world.leave(first);
  world.history.close("acme");
  await producer.add(3);
  await world.deliver();
  const again = await world.visit(new Visitor("acme", sse), first.frames[0]!.id);
  await world.allLive([again]);
  t.strictSame(again.story, upTo(5, 2));
});

t.test("a slow client leaves at the first event it did not get, and nothing is kept for it", async (t) => {
  const { client, world, producer } = await openWorld(t);
  const [slow, fast] = [
    await world.visit(new Visitor("acme", sse, { limit: 3 })),
    await world.visit(new Visitor("acme", sse)),
  ];
  slow.pause();
  await producer.add(10);
  await world.deliver(1);
  await world.deliver(1);
  await world.deliver();
  await someTurns();
  t.strictSame(slow.story, [1, 2, 3]);
  t.notOk(world.isLive(slow));
  await producer.add(5);
  await world.deliver();
  t.strictSame(fast.story, upTo(15));
  t.strictSame(slow.story, [1, 2, 3]);
  const before = await callsOf(client, "xrange");
  slow.resume();
  await world.allLive([slow]);
  t.strictSame(slow.story, upTo(15));
  t.equal(await callsOf(client, "xrange"), before, "from memory");
});

t.test("a slow client that closes while it waits is done with", async (t) => {
  const { world, producer } = await openWorld(t);
  const slow = await world.visit(new Visitor("acme", sse, { limit: 1 }));
  slow.pause();
  await producer.add(5);
  await world.deliver(1);
  await world.deliver();
  await someTurns();
  world.leave(slow);
  await someTurns();
  t.equal(slow.failure, undefined);
  t.strictSame(slow.story, [1]);
  t.equal([...world.hub.rooms()].length, 0);
});

t.test("over the limit the newest come, after a gap, and Redis is not read twice for what is left out", async (t) => {
  const { client } = await openRedis(t);
  for (const historyBytes of [10_000_000, 0]) {
    await client.flushall();
    const [world, producer] = [new World(client, { resumeMaxEvents: 10, historyBytes }), new Producer(client)];
    const { greeting } = await world.visit(new Visitor("acme", sse));
    await producer.add(30);
    await producer.add(3, { topic: "system" });
    await world.deliver();
    const again = await world.visit(new Visitor("acme", sse), greeting);
    await world.allLive([again]);
    t.match(again.story[0], { stream: "orders", reason: "limit", from: "0-0", to: "23-0" });
    t.strictSame(again.story.slice(1).sort(), upTo(10, 24));
    const within = await world.visit(new Visitor("acme", sse, { filter: makeFilter(["none"]) }), greeting);
    await world.allLive([within]);
    t.strictSame(within.story, [], "what is not wanted does not count");
  }
});

t.test("what stands in Redis and has not come here yet counts as missed as well", async (t) => {
  const { world, producer } = await openWorld(t, { resumeMaxEvents: 5 });
  const { greeting } = await world.visit(new Visitor("acme", sse));
  await producer.add(10);
  await world.deliver();
  await producer.add(10);
  const again = await world.visit(new Visitor("acme", sse), greeting);
  await someTurns(20);
  t.strictSame(again.story, [], "it waits for the worker");
  await world.deliver();
  await world.allLive([again]);
  t.match(again.story[0], { reason: "limit", to: "15-0" });
  t.strictSame(again.story.slice(1), upTo(5, 16));
});

t.test("a client from a faster worker waits until this one has come as far", async (t) => {
  const { client } = await openRedis(t);
  const producer = new Producer(client);
  const [fast, slow] = [new World(client), new World(client)];
  const first = await fast.visit(new Visitor("acme", sse));
  await slow.visit(new Visitor("acme", sse));
  await producer.add(5);
  await fast.deliver();
  await slow.deliver(2);
  const again = await slow.visit(new Visitor("acme", sse), first.frames[3]!.id);
  await someTurns(20);
  t.notOk(slow.isLive(again));
  await slow.deliver();
  await slow.allLive([again]);
  t.strictSame(again.story, [5]);
});

t.test("entries removed while a slow client catches up from Redis are announced where they are missing", async (t) => {
  const { client, world, producer } = await openWorld(t, { historyBytes: 0 });
  const { greeting } = await world.visit(new Visitor("acme", sse));
  await producer.add(600);
  await world.deliver();
  const slow = new Visitor("acme", sse);
  slow.pause();
  await world.visit(slow, greeting);
  await someTurns(20);
  const got = slow.story.length;
  t.ok(got > 0 && got < 100, `${got} events fit`);
  await client.xtrim(streamOf("acme").key, "MINID", "400-0");
  slow.resume();
  await world.allLive([slow]);
  const gap = slow.story.findIndex((part) => typeof part !== "number");
  t.match(slow.story[gap], { reason: "trimmed", to: "400-0" });
  t.strictSame(
    slow.story.filter((part) => typeof part === "number"),
    [...upTo(gap), ...upTo(201, 400)],
  );
  t.equal(slow.story.filter((part) => typeof part !== "number").length, 1);
});

t.test("a failing Redis fails whoever needs it, and nobody else", async (t) => {
  const { client, world, producer } = await openWorld(t);
  await producer.add(1);
  await world.deliver();
  const first = await world.visit(new Visitor("acme", sse));
  await producer.add(3);
  await world.deliver();
  await client.set(streamOf("acme").key, "no stream any more");
  const again = await world.visit(new Visitor("acme", sse), first.greeting);
  const foreign = await world.visit(new Visitor("acme", sse), "nonsense");
  await world.allLive([again]);
  t.strictSame(again.story, [2, 3, 4]);
  await t.rejects(world.allLive([foreign]), /WRONGTYPE/);
});
