import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { encodeEvents } from "../../../src/pool/encode-events.ts";
import { compareEntryIds } from "../../../src/protocol/entry-id.ts";
import { type StreamRef, sharedStream } from "../../../src/protocol/stream.ts";
import type { RedisClient } from "../../../src/redis/connect.ts";
import type { Chunk } from "../../../src/worker/resume/chunk.ts";
import { RangeReader } from "../../../src/worker/resume/range-reader.ts";
import { callsOf } from "../../support/command-stats.ts";
import { LAYOUT } from "../fanout/listener.ts";
import { openRedis } from "../redis-fixture.ts";

const [ORDERS, SYSTEM] = ["orders", "system"].map((topic) => sharedStream(LAYOUT, topic)) as [StreamRef, StreamRef];
const ACME = { tenant: "acme", msgpack: false };

function readerOf(commands: RedisClient, cacheBytes = 10_000_000) {
  let encoded = 0;
  const encode: ConstructorParameters<typeof RangeReader>[0]["encode"] = async (raw, msgpack) => {
    encoded += raw.reduce((sum, { entries }) => sum + entries.length, 0);
    return encodeEvents(raw, { msgpack }).sections;
  };
  return { reader: new RangeReader({ commands, encode, cacheBytes }), encoded: () => encoded };
}

async function add(client: RedisClient, { key }: StreamRef, from: number, to: number, text = ""): Promise<void> {
  const adding = [];
  for (let i = from; i <= to; i++) {
    const payload = JSON.stringify({ i, text });
    adding.push(client.xadd(key, `${i}-0`, "event_type", "t", "tenant_id", "acme", "payload", payload));
  }
  await Promise.all(adding);
}

/** Everything of a range, as a client puts it together from one end to the other. */
async function readAll(reader: RangeReader, stream: StreamRef, after: string, to: string): Promise<string[]> {
  const ids: string[] = [];
  for (let at = after; compareEntryIds(at, to) < 0; ) {
    const chunk = await reader.readStart(ACME, { stream, after: at, to });
    assert.ok(compareEntryIds(chunk.after, at) <= 0 && compareEntryIds(chunk.upTo, at) > 0);
    ids.push(...idsAfter(chunk, at).filter((id) => compareEntryIds(id, to) <= 0));
    at = chunk.upTo;
  }
  return ids;
}

async function readAllBack(reader: RangeReader, stream: StreamRef, after: string, to: string): Promise<string[]> {
  const ids: string[] = [];
  for (let at = to; compareEntryIds(after, at) < 0; ) {
    const chunk = await reader.readEnd(ACME, { stream, after, to: at });
    assert.ok(compareEntryIds(chunk.after, at) < 0 && compareEntryIds(chunk.upTo, at) >= 0);
    ids.unshift(...idsAfter(chunk, after).filter((id) => compareEntryIds(id, at) <= 0));
    at = chunk.after;
  }
  return ids;
}

function idsAfter({ records }: Chunk, id: string): string[] {
  return records.map((record) => record.id).filter((each) => compareEntryIds(each, id) > 0);
}

const idsOf = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}-0`);

t.test("a range is what stands after its start up to and including its end, read from either end", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 700);
  for (const read of [readAll, readAllBack]) {
    for (const cacheBytes of [0, 10_000_000]) {
      const { reader } = readerOf(client, cacheBytes);
      t.strictSame(await read(reader, ORDERS, "0-0", "700-0"), idsOf(1, 700), "in pieces without a seam");
      t.strictSame(await read(reader, ORDERS, "2-0", "5-0"), idsOf(3, 5));
      t.strictSame(await read(reader, ORDERS, "2-5", "5-5"), idsOf(3, 5));
      t.strictSame(await read(reader, ORDERS, "699-0", "9000-0"), ["700-0"]);
      t.strictSame(await read(reader, SYSTEM, "0-0", "9-0"), [], "there is no such stream");
    }
  }
});

t.test("an entry that can be delivered to nobody is passed over", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 1);
  await client.xadd(ORDERS.key, "2-0", "nonsense", "x");
  await add(client, ORDERS, 3, 3);
  t.strictSame(await readAll(readerOf(client).reader, ORDERS, "0-0", "3-0"), ["1-0", "3-0"]);
});

t.test("a piece tells how the stream was when it was read", async (t) => {
  const { client } = await openRedis(t);
  const { reader } = readerOf(client);
  t.equal((await reader.readStart(ACME, { stream: SYSTEM, after: "0-0", to: "9-0" })).state, null);
  t.equal(await reader.stateOf(SYSTEM), null);
  await add(client, ORDERS, 1, 5);
  await client.xdel(ORDERS.key, "2-0");
  const { state } = await reader.readStart(ACME, { stream: ORDERS, after: "0-0", to: "5-0" });
  t.match(state, { firstId: "1-0", lastId: "5-0", removed: 1, maxDeletedId: "2-0" });
  t.match(await reader.stateOf(ORDERS), state!);
});

t.test("a thousand who ask for the same range cause one read of each piece, and one encoding", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 600);
  const { reader, encoded } = readerOf(client);
  const crowd = await Promise.all(
    Array.from({ length: 1_000 }, () => readAll(reader, ORDERS, "100-0", "600-0").then(({ length }) => length)),
  );
  t.ok(crowd.every((length) => length === 500));
  t.ok((await callsOf(client, "xrange")) <= 4, `${await callsOf(client, "xrange")} reads`);
  t.equal(encoded(), 500);
  await Promise.all(Array.from({ length: 1_000 }, () => reader.stateOf(ORDERS)));
  t.ok((await callsOf(client, "xinfo|stream")) <= 5);
});

t.test("those who stand nearly at the same place share nearly all reads", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 1_500);
  const { reader, encoded } = readerOf(client);
  const starts = Array.from({ length: 300 }, (_, i) => 100 + ((i * 37) % 200));
  const crowd = await Promise.all(starts.map((start) => readAll(reader, ORDERS, `${start}-0`, "1500-0")));
  for (const [i, ids] of crowd.entries()) assert.deepEqual(ids, idsOf(starts[i]! + 1, 1_500));
  const reads = await callsOf(client, "xrange");
  t.ok(reads <= 30, `${reads} reads for 300 clients with 200 different cursors`);
  t.ok(encoded() <= 2_500, `${encoded()} events encoded of 1400`);
});

t.test("without room to keep anything, only those who ask at the same time share", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 20);
  const { reader } = readerOf(client, 0);
  await Promise.all(Array.from({ length: 50 }, () => readAll(reader, ORDERS, "0-0", "20-0")));
  t.equal(await callsOf(client, "xrange"), 1);
  await readAll(reader, ORDERS, "0-0", "20-0");
  t.equal(await callsOf(client, "xrange"), 2);
});

t.test("who takes MessagePack gets pieces that have it, and who does not is content with them", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 3);
  const { reader } = readerOf(client);
  const range = { stream: ORDERS, after: "0-0", to: "3-0" };
  const hasMsgpack = ({ records }: Chunk) => records.every(({ msgpackTail }) => msgpackTail.length > 0);
  const plain = await reader.readStart(ACME, range);
  t.notOk(hasMsgpack(plain));
  const [binary, another] = await Promise.all(
    [true, false].map((msgpack) => reader.readStart({ ...ACME, msgpack }, range)),
  );
  t.ok(hasMsgpack(binary!));
  t.equal(await reader.readStart({ ...ACME, msgpack: true }, range), binary);
  t.equal(another, plain);
  t.equal(await callsOf(client, "xrange"), 2);
});

t.test("of large events a piece holds few", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 40, "x".repeat(100_000));
  const { reader } = readerOf(client);
  const first = await reader.readStart(ACME, { stream: ORDERS, after: "0-0", to: "40-0" });
  const next = await reader.readStart(ACME, { stream: ORDERS, after: first.upTo, to: "40-0" });
  t.ok(next.records.length >= 1 && next.records.length <= 3, `${next.records.length} events`);
});

t.test("a stream that is forgotten is read again, also while a read of it goes on", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 3);
  const { reader } = readerOf(client);
  const range = { stream: ORDERS, after: "0-0", to: "3-0" };
  const before = reader.readStart(ACME, range);
  reader.forgetStream(ORDERS.key);
  await Promise.all([before, reader.readStart(ACME, range), reader.readStart(ACME, range)]);
  t.equal(await callsOf(client, "xrange"), 2);
  await reader.readStart(ACME, range);
  t.equal(await callsOf(client, "xrange"), 2, "the second one is kept");
});

t.test("where a stream went back in time nothing is kept: it may still grow there", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 3);
  const { reader } = readerOf(client);
  t.strictSame(await readAll(reader, ORDERS, "0-0", "9-0"), idsOf(1, 3));
  await add(client, ORDERS, 4, 9);
  t.strictSame(await readAll(reader, ORDERS, "0-0", "9-0"), idsOf(1, 9));
});

t.test("a read that fails fails for everyone who waits for it, and is not remembered", async (t) => {
  const { client } = await openRedis(t);
  await client.set(ORDERS.key, "no stream");
  const { reader } = readerOf(client);
  const range = { stream: ORDERS, after: "0-0", to: "3-0" };
  const both = await Promise.allSettled([reader.readStart(ACME, range), reader.readStart(ACME, range)]);
  t.ok(both.every(({ status }) => status === "rejected"));
  await client.del(ORDERS.key);
  await add(client, ORDERS, 1, 3);
  t.strictSame(await readAll(reader, ORDERS, "0-0", "3-0"), idsOf(1, 3));
});

t.test("whoever reads what at the same time, everyone gets exactly the range asked for", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, 1, 300, "x".repeat(50));
  const anyReader = fc.record({
    from: fc.nat(300),
    length: fc.nat(300),
    back: fc.boolean(),
    wait: fc.nat(3),
  });
  const run = fc.asyncProperty(
    fc.constantFrom(0, 40_000, 10_000_000),
    fc.array(anyReader, { maxLength: 12 }),
    async (cacheBytes, readers) => {
      const { reader } = readerOf(client, cacheBytes);
      await Promise.all(
        readers.map(async ({ from, length, back, wait }) => {
          for (let i = 0; i < wait; i++) await client.ping();
          const to = Math.min(300, from + length);
          const read = back ? readAllBack : readAll;
          assert.deepEqual(await read(reader, ORDERS, `${from}-0`, `${to}-0`), idsOf(from + 1, to));
        }),
      );
    },
  );
  await fc.assert(run, { numRuns: 60 });
});
