import t, { type Test } from "tap";
import type { RawEntry } from "../../src/protocol/event.ts";
import { connectRedis, type RedisClient, whenReady } from "../../src/redis/connect.ts";
import { deadLetterKey } from "../../src/redis/keys.ts";
import {
  acknowledge,
  addDeadLetter,
  createGroup,
  dataNodes,
  groupPosition,
  readGroup,
  readRange,
  readRangeEnd,
  removeGroup,
  streamState,
  streamStates,
} from "../../src/redis/streams.ts";
import { startTestRedis } from "../support/redis.ts";

const GROUP = "ragline-gateway:test:1";
const CONSUMER = "owner";

/** A connection to a Redis of the test's own. */
async function openRedis(t: Test): Promise<RedisClient> {
  return connect(t, await startTestRedis(t));
}

async function connect(t: Test, { url }: { readonly url: string }): Promise<RedisClient> {
  const client = connectRedis({ mode: "standalone", urls: [url] }, { name: "test", onError: () => {} });
  t.teardown(() => client.disconnect());
  await whenReady(client);
  return client;
}

/** Entries `1-0`, `2-0`, … with one field each. */
async function fill(client: RedisClient, key: string, count: number, from = 1): Promise<void> {
  for (let i = from; i < from + count; i++) await client.xadd(key, `${i}-0`, "n", String(i));
}

function read(
  client: RedisClient,
  keys: readonly string[],
  after = ">",
  count = 100,
): Promise<Map<string, RawEntry[]>> {
  return readGroup(client, { group: GROUP, consumer: CONSUMER, keys, after, count });
}

function idsOf(entries: readonly RawEntry[] | undefined): string[] {
  return (entries ?? []).map(({ id }) => id);
}

function textsOf({ fields }: RawEntry): string[] | undefined {
  return fields?.map((field) => Buffer.from(field).toString());
}

t.test("a group gives out each new entry once, over many streams, as the bytes that were added", async (t) => {
  const client = await openRedis(t);
  const keys = ["orders", "system", "grüße:{3}"];
  for (const key of keys) await createGroup(client, key, GROUP, "0-0");
  await client.xadd("orders", "1-0", "m", Buffer.from([0x00, 0xff, 0x80]), "", "");
  await client.xadd("grüße:{3}", "7-1", "a", "1");
  await client.xadd("grüße:{3}", "7-2", "a", "2");
  const entries = await read(client, keys);
  t.strictSame(entries.get("orders"), [
    { id: "1-0", fields: [Buffer.from("m"), Buffer.from([0x00, 0xff, 0x80]), Buffer.from(""), Buffer.from("")] },
  ]);
  t.strictSame(idsOf(entries.get("grüße:{3}")), ["7-1", "7-2"], "by the key as it was given");
  t.notOk(entries.has("system"), "a stream with nothing new is not named");
  t.equal((await read(client, keys)).size, 0);
});

t.test("a read takes at most so many entries of each stream", async (t) => {
  const client = await openRedis(t);
  for (const key of ["a", "b"]) {
    await createGroup(client, key, GROUP, "0-0");
    await fill(client, key, 5);
  }
  const entries = await read(client, ["a", "b"], ">", 2);
  t.strictSame(
    [idsOf(entries.get("a")), idsOf(entries.get("b"))],
    [
      ["1-0", "2-0"],
      ["1-0", "2-0"],
    ],
  );
});

t.test("a group starts behind the id it was created with, and is created once", async (t) => {
  const client = await openRedis(t);
  await fill(client, "s", 5);
  t.equal(await createGroup(client, "s", GROUP, "3-0"), true);
  t.equal(await createGroup(client, "s", GROUP, "0-0"), false, "it was there, and keeps its place");
  t.strictSame(idsOf((await read(client, ["s"])).get("s")), ["4-0", "5-0"]);
  t.equal(await createGroup(client, "new", GROUP, "0-0"), true, "the stream need not be there");
  t.match(await streamState(client, "new"), { length: 0 });
});

t.test("what was given out and not acknowledged can be read again, also by whoever takes over", async (t) => {
  const client = await openRedis(t);
  await createGroup(client, "s", GROUP, "0-0");
  await fill(client, "s", 4);
  await read(client, ["s"]);
  await acknowledge(client, GROUP, new Map([["s", ["1-0", "3-0"]]]));
  t.strictSame(idsOf((await read(client, ["s"], "0-0")).get("s")), ["2-0", "4-0"]);
  t.strictSame(idsOf((await read(client, ["s"], "2-0")).get("s")), ["4-0"]);
  await acknowledge(client, GROUP, new Map([["s", ["2-0", "4-0"]]]));
  t.strictSame(idsOf((await read(client, ["s"], "0-0")).get("s")), []);
});

t.test("an entry deleted while it was pending comes without fields", async (t) => {
  const client = await openRedis(t);
  await createGroup(client, "s", GROUP, "0-0");
  await fill(client, "s", 3);
  await read(client, ["s"]);
  await client.xdel("s", "2-0");
  const pending = (await read(client, ["s"], "0-0")).get("s")!;
  t.strictSame(idsOf(pending), ["1-0", "2-0", "3-0"]);
  t.equal(pending[1]!.fields, null);
  t.strictSame(textsOf(pending[2]!), ["n", "3"]);
});

t.test("many streams are acknowledged together, none or all of a stream's entries", async (t) => {
  const client = await openRedis(t);
  const keys = Array.from({ length: 20 }, (_, i) => `s${i}`);
  for (const key of keys) {
    await createGroup(client, key, GROUP, "0-0");
    await fill(client, key, 3);
  }
  const entries = await read(client, keys);
  await acknowledge(client, GROUP, new Map([...entries].map(([key, list]) => [key, idsOf(list)])));
  for (const key of keys) t.strictSame(idsOf((await read(client, [key], "0-0")).get(key)), []);
  await acknowledge(client, GROUP, new Map());
});

t.test("reading without a group fails with what Redis calls it", async (t) => {
  const client = await openRedis(t);
  await fill(client, "s", 1);
  await t.rejects(read(client, ["s"]), /NOGROUP/);
  await t.rejects(read(client, ["missing"]), /NOGROUP/);
  await client.set("text", "x");
  await t.rejects(read(client, ["text"]), /WRONGTYPE|NOGROUP/);
});

t.test("a read waits for the first entry of any of its streams, and not longer than it was told", async (t) => {
  const redis = await startTestRedis(t);
  const [client, producer] = [await connect(t, redis), await connect(t, redis)];
  for (const key of ["a", "b"]) await createGroup(client, key, GROUP, "0-0");
  const options = { group: GROUP, consumer: CONSUMER, keys: ["a", "b"], after: ">", count: 10 };
  t.equal((await readGroup(client, { ...options, blockMs: 1 })).size, 0);
  const waiting = readGroup(client, { ...options, blockMs: 0 });
  await producer.xadd("b", "1-0", "n", "1");
  t.strictSame(idsOf((await waiting).get("b")), ["1-0"]);
});

t.test("a range starts behind its first id and includes its last", async (t) => {
  const client = await openRedis(t);
  await fill(client, "s", 5);
  const range = async (after: string, to: string, count = 100) => idsOf(await readRange(client, "s", after, to, count));
  t.strictSame(await range("0-0", "5-0"), ["1-0", "2-0", "3-0", "4-0", "5-0"]);
  t.strictSame(await range("2-0", "4-0"), ["3-0", "4-0"]);
  t.strictSame(await range("1-5", "2-5"), ["2-0"]);
  t.strictSame(await range("0-0", "5-0", 2), ["1-0", "2-0"], "oldest first");
  t.strictSame(await range("4-0", "4-0"), []);
  t.strictSame(await range("4-0", "2-0"), []);
  t.strictSame(await range("5-0", "18446744073709551615-18446744073709551615"), []);
  t.strictSame(idsOf(await readRange(client, "missing", "0-0", "9-0", 10)), []);
  t.strictSame(textsOf((await readRange(client, "s", "0-0", "1-0", 1))[0]!), ["n", "1"]);
});

t.test("the end of a range is its newest entries, oldest first", async (t) => {
  const client = await openRedis(t);
  await fill(client, "s", 5);
  const end = async (after: string, to: string, count = 100) =>
    idsOf(await readRangeEnd(client, "s", after, to, count));
  t.strictSame(await end("0-0", "9-0"), ["1-0", "2-0", "3-0", "4-0", "5-0"]);
  t.strictSame(await end("0-0", "4-0", 2), ["3-0", "4-0"]);
  t.strictSame(await end("2-0", "4-0", 5), ["3-0", "4-0"]);
  t.strictSame(await end("4-0", "4-0"), []);
  t.strictSame(idsOf(await readRangeEnd(client, "missing", "0-0", "9-0", 10)), []);
});

t.test("the state of a stream shows its ends, and whether it ever lost an entry", async (t) => {
  const client = await openRedis(t);
  t.equal(await streamState(client, "s"), null, "there is none");
  await fill(client, "s", 5);
  const state = (firstId: string | null, length: number, removed: number, maxDeletedId: string) => {
    return { lastId: "5-0", firstId, length, removed, maxDeletedId };
  };
  t.strictSame(await streamState(client, "s"), state("1-0", 5, 0, "0-0"));
  await client.xtrim("s", "MAXLEN", 3);
  t.strictSame(await streamState(client, "s"), state("3-0", 3, 2, "0-0"), "trimmed, which deletes nothing");
  await client.xdel("s", "5-0", "4-0");
  t.strictSame(await streamState(client, "s"), state("3-0", 1, 4, "5-0"), "deleted");
  await client.xdel("s", "3-0");
  t.strictSame(await streamState(client, "s"), state(null, 0, 5, "5-0"), "emptied");
  await client.del("s");
  t.equal(await streamState(client, "s"), null);
  await client.set("s", "x");
  await t.rejects(streamState(client, "s"), /WRONGTYPE/);
});

t.test("a stream that only a group was created on has never held anything", async (t) => {
  const client = await openRedis(t);
  await createGroup(client, "s", GROUP, "0-0");
  t.strictSame(await streamState(client, "s"), {
    lastId: "0-0",
    firstId: null,
    length: 0,
    removed: 0,
    maxDeletedId: "0-0",
  });
});

t.test("a group's position is what it was given last, and what it has not acknowledged first", async (t) => {
  const client = await openRedis(t);
  await createGroup(client, "s", GROUP, "0-0");
  await createGroup(client, "s", "other", "0-0");
  t.strictSame(await groupPosition(client, "s", GROUP), { lastDelivered: "0-0", firstPending: null });
  await fill(client, "s", 4);
  await read(client, ["s"], ">", 3);
  t.strictSame(await groupPosition(client, "s", GROUP), { lastDelivered: "3-0", firstPending: "1-0" });
  await acknowledge(client, GROUP, new Map([["s", ["1-0", "3-0"]]]));
  t.strictSame(await groupPosition(client, "s", GROUP), { lastDelivered: "3-0", firstPending: "2-0" });
  t.strictSame(await groupPosition(client, "s", "other"), { lastDelivered: "0-0", firstPending: null });
  await t.rejects(groupPosition(client, "s", "none"), /NOGROUP/);
});

t.test("removing a group leaves nothing of what creating it made", async (t) => {
  const client = await openRedis(t);
  await createGroup(client, "s", GROUP, "0-0");
  await removeGroup(client, "s", GROUP);
  t.equal(await client.dbsize(), 0);
  await removeGroup(client, "s", GROUP);
  t.equal(await client.dbsize(), 0, "also when there is nothing");
});

t.test("removing a group leaves everything else", async (t) => {
  const client = await openRedis(t);
  await createGroup(client, "s", GROUP, "0-0");
  await createGroup(client, "s", "other", "0-0");
  await removeGroup(client, "s", GROUP);
  t.equal(await client.exists("s"), 1, "another gateway's group needs the stream");
  t.equal(await createGroup(client, "s", "other", "0-0"), false);
  await fill(client, "s", 2);
  await removeGroup(client, "s", "other");
  t.match(await streamState(client, "s"), { length: 2 }, "entries stay");
  await createGroup(client, "s", GROUP, "0-0");
  await client.xtrim("s", "MAXLEN", 0);
  await removeGroup(client, "s", GROUP);
  t.match(await streamState(client, "s"), { lastId: "2-0", length: 0 }, "so does how far an emptied stream had come");
});

t.test("a removed group's pending entries are gone with it", async (t) => {
  const client = await openRedis(t);
  await createGroup(client, "s", GROUP, "0-0");
  await fill(client, "s", 2);
  await read(client, ["s"]);
  await removeGroup(client, "s", GROUP);
  await createGroup(client, "s", GROUP, "2-0");
  t.strictSame(idsOf((await read(client, ["s"], "0-0")).get("s")), []);
});

t.test("a dead letter keeps the fields of its entry, byte for byte, and says where it came from and why", async (t) => {
  const client = await openRedis(t);
  const fields = [Buffer.from("m"), Buffer.from([0xc1, 0x00, 0xff]), Buffer.from("tenant_id"), Buffer.from("acme")];
  await addDeadLetter(client, "orders", { key: "orders:{3}", entry: { id: "5-1", fields }, reason: "not_messagepack" });
  const [letter] = await readRange(client, deadLetterKey("orders"), "0-0", "9999999999999-0", 10);
  t.strictSame(letter!.fields!.slice(0, 4), fields);
  t.strictSame(textsOf(letter!)!.slice(4), ["id", "5-1", "stream", "orders:{3}", "reason", "not_messagepack"]);
});

t.test("a dead letter of an entry without fields says at least which it was", async (t) => {
  const client = await openRedis(t);
  await addDeadLetter(client, "orders", { key: "orders", entry: { id: "5-1", fields: null }, reason: "no_type" });
  const [letter] = await readRange(client, "ragline:dlq:orders", "0-0", "9999999999999-0", 10);
  t.strictSame(textsOf(letter!), ["id", "5-1", "stream", "orders", "reason", "no_type"]);
});

t.test("dead letters are bounded: the oldest leave first", async (t) => {
  const client = await openRedis(t);
  const key = deadLetterKey("orders");
  const filler = Array.from({ length: 12_000 }, (_, i) => client.xadd(key, `${i + 1}-0`, "n", String(i)));
  await Promise.all(filler);
  await addDeadLetter(client, "orders", { key: "orders", entry: { id: "5-1", fields: null }, reason: "no_type" });
  const { length, firstId } = (await streamState(client, key))!;
  t.ok(length >= 10_000 && length < 10_200, `${length} are kept`);
  t.not(firstId, "1-0");
});

t.test("the nodes that hold streams are the one server there is", async (t) => {
  const client = await openRedis(t);
  t.strictSame(dataNodes(client), [client]);
});

t.test("the states of several streams, asked as one, are those asked one by one", async (t) => {
  const client = await openRedis(t);
  for (const id of ["1-0", "2-0", "3-0"]) await client.xadd("full", id, "n", "1");
  await client.xdel("full", "2-0");
  await client.xadd("emptied", "5-0", "n", "1");
  await client.xtrim("emptied", "MAXLEN", 0);
  const keys = ["full", "missing", "emptied"];
  t.strictSame(await streamStates(client, keys), await Promise.all(keys.map((key) => streamState(client, key))));
  t.strictSame(await streamStates(client, []), []);
});
