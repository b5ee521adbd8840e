import { pack } from "msgpackr";
import t from "tap";
import { CHANNELS } from "../../../src/protocol/channel.ts";
import { decodeCursor, topicTag } from "../../../src/protocol/cursor.ts";
import type { RedisClient } from "../../../src/redis/connect.ts";
import { openRedis } from "../redis-fixture.ts";
import { Producer, someTurns, streamOf, Visitor, World } from "./world.ts";

const { sse, ws, sseNotifications } = CHANNELS;
const ORDERS = streamOf("acme");

/** Deletes the shared stream of orders, and starts it anew with these numbers, at ids it had before. */
async function startAnew(client: RedisClient, ...numbers: number[]): Promise<void> {
  await client.del(ORDERS.key);
  for (const [i, n] of numbers.entries()) {
    await client.xadd(ORDERS.key, `${i + 1}-0`, "m", pack({ event_type: "t", tenant_id: "acme", payload: { n } }));
  }
}

function epochIn(cursor: string): number {
  return decodeCursor(cursor)!.topics.get(topicTag("orders"))!.shared.epoch;
}

const reset = (from: string) => ({ stream: "orders", reason: "reset", from });

t.test("live connections are told, and get the stream from its start, once", async (t) => {
  const { client } = await openRedis(t);
  for (const historyBytes of [10_000_000, 0]) {
    await client.flushall();
    const [world, producer] = [new World(client, { historyBytes }), new Producer(client)];
    const readers = [
      await world.visit(new Visitor("acme", sse)),
      await world.visit(new Visitor("acme", ws, { format: "msgpack" })),
    ];
    const others = [
      await world.visit(new Visitor("globex", sse, { user: "u2" })),
      await world.visit(new Visitor("acme", sseNotifications, { user: "u3" })),
    ];
    await producer.add(3);
    await producer.add(1, { topic: "system" });
    await world.deliver();
    await startAnew(client, 101, 102);
    world.reset(ORDERS, 1);
    await world.deliver();
    await world.allLive([...readers, ...others]);
    await producer.add(1, { topic: "system" });
    await world.deliver();
    for (const { story, frames } of readers) {
      t.strictSame(story, [1, 2, 3, 4, reset("3-0"), 101, 102, 5]);
      t.strictSame(
        frames.map(({ id }) => epochIn(id)),
        [0, 0, 0, 0, 1, 1, 1],
      );
    }
    t.strictSame(others[0]!.story, [reset("3-0")], "whoever reads the shared stream has lost something in it");
    t.match(others[1]!.story[0], reset("3-0"));
  }
});

t.test("a stream nobody here reads concerns nobody", async (t) => {
  const { client } = await openRedis(t);
  const [world, producer] = [new World(client), new Producer(client)];
  const [acme, orders] = [
    await world.visit(new Visitor("acme", sse)),
    await world.visit(new Visitor("acme", CHANNELS.sseOrders, { user: "u2" })),
  ];
  await producer.add(1);
  await world.deliver();
  world.reset(streamOf("acme", "system"), 1);
  t.ok(world.isLive(orders), "it does not even leave");
  world.reset({ ...ORDERS, key: "s:orders:{9}" }, 1);
  await world.allLive([acme, orders]);
  t.strictSame(orders.story, []);
});

t.test("one reset is told once, however many workers report it", async (t) => {
  const { client } = await openRedis(t);
  const [world, producer] = [new World(client), new Producer(client)];
  const reader = await world.visit(new Visitor("acme", sse));
  await producer.add(2);
  await world.deliver();
  for (const epoch of [1, 1, 0]) world.reset(ORDERS, epoch);
  await world.allLive([reader]);
  t.strictSame(reader.story, [1, 2, reset("2-0")]);
});

t.test("a connection that catches up meanwhile is told where it stands", async (t) => {
  const { client } = await openRedis(t);
  for (const historyBytes of [10_000_000, 0]) {
    await client.flushall();
    const [world, producer] = [new World(client, { historyBytes }), new Producer(client)];
    const { greeting } = await world.visit(new Visitor("acme", sse));
    await producer.add(300);
    await world.deliver();
    const slow = new Visitor("acme", sse);
    slow.pause();
    await world.visit(slow, greeting);
    await someTurns(20);
    const reading = await world.visit(new Visitor("acme", ws, { user: "u2" }), greeting);
    const got = slow.story.length;
    await startAnew(client, 1_001, 1_002);
    world.reset(ORDERS, 1);
    await world.deliver();
    slow.resume();
    await world.allLive([slow, reading]);
    t.strictSame(slow.story.slice(got), [reset(`${got}-0`), 1_001, 1_002]);
    const gap = reading.story.findIndex((part) => typeof part !== "number");
    t.strictSame(reading.story.slice(gap), [reset(`${gap}-0`), 1_001, 1_002]);
  }
});

t.test("a slow client that waits with a gap to be told gets it before anything else", async (t) => {
  const { client } = await openRedis(t);
  const [world, producer] = [new World(client), new Producer(client)];
  const slow = await world.visit(new Visitor("acme", sse, { limit: 1 }));
  slow.pause();
  await producer.add(1);
  await world.deliver();
  t.ok(world.isLive(slow), "it has something unsent, and is within its limit");
  await startAnew(client, 7, 8);
  world.reset(ORDERS, 1);
  await world.deliver();
  await someTurns();
  t.strictSame(slow.story, [1]);
  slow.resume();
  await world.allLive([slow]);
  t.strictSame(slow.story, [1, reset("1-0"), 7, 8]);
});

t.test("a cursor of another epoch is one of another stream, be it older or newer", async (t) => {
  const { client } = await openRedis(t);
  const [world, producer] = [new World(client), new Producer(client)];
  const first = await world.visit(new Visitor("acme", sse));
  await producer.add(2);
  await world.deliver();
  const old = first.frames.at(-1)!.id;
  await startAnew(client, 11, 12, 13);
  world.reset(ORDERS, 2);
  await world.deliver();
  await world.allLive([first]);
  const again = await world.visit(new Visitor("acme", sse), old);
  await world.allLive([again]);
  t.strictSame(again.story, [reset("2-0"), 11, 12, 13], "where its ids alone would have hidden the loss of 11 and 12");
  const elsewhere = new World(client);
  await elsewhere.deliver();
  const newer = await elsewhere.visit(new Visitor("acme", sse), first.frames.at(-1)!.id);
  await elsewhere.allLive([newer]);
  t.strictSame(newer.story, [reset("3-0"), 11, 12, 13], "on a worker that has yet to hear of it");
});

t.test("what was removed from a stream since it started anew needs no gap of its own", async (t) => {
  const { client } = await openRedis(t);
  const [world, producer] = [new World(client), new Producer(client)];
  const first = await world.visit(new Visitor("acme", sse));
  await producer.add(2);
  await world.deliver();
  await startAnew(client, 11, 12, 13);
  await client.xtrim(ORDERS.key, "MAXLEN", 1);
  world.reset(ORDERS, 1);
  await world.deliver();
  world.leave(first);
  world.history.close("acme");
  const again = await world.visit(new Visitor("acme", sse), first.frames[1]!.id);
  await world.allLive([again]);
  t.strictSame(again.story, [reset("2-0"), 13]);
});
