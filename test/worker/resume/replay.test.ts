import t from "tap";
import { encodeEvents } from "../../../src/pool/encode-events.ts";
import type { BatchRecord } from "../../../src/protocol/batch.ts";
import { type StreamRef, sharedStream } from "../../../src/protocol/stream.ts";
import type { RedisClient } from "../../../src/redis/connect.ts";
import { Replay, type StreamRange } from "../../../src/worker/resume/replay.ts";
import { LAYOUT } from "../fanout/listener.ts";
import { openRedis } from "../redis-fixture.ts";

const [ORDERS, SYSTEM] = ["orders", "system"].map((topic) => sharedStream(LAYOUT, topic)) as [StreamRef, StreamRef];

function replayFrom(commands: RedisClient): Replay {
  return new Replay({ commands, encode: async (raw) => encodeEvents(raw, { msgpack: true }).sections });
}

function add(client: RedisClient, { key }: StreamRef, id: string, tenant = "acme"): Promise<unknown> {
  return client.xadd(key, id, "event_type", "t", "tenant_id", tenant, "payload", "{}");
}

async function readAll(replay: Replay, range: StreamRange): Promise<{ ids: string[]; upTo: string[] }> {
  const ids: string[] = [];
  const upTo: string[] = [];
  for await (const part of replay.read(range)) {
    ids.push(...part.records.map(({ id }) => id));
    upTo.push(part.upTo);
  }
  return { ids, upTo };
}

const every = () => true;
const ofAcme = ({ tenant }: BatchRecord) => tenant === "acme";

t.test("a range is what stands after its start up to and including its end", async (t) => {
  const { client } = await openRedis(t);
  const replay = replayFrom(client);
  for (let i = 1; i <= 6; i++) await add(client, ORDERS, `${i}-0`);
  const read = (after: string, to: string) => readAll(replay, { stream: ORDERS, after, to });
  t.strictSame(await read("2-0", "5-0"), { ids: ["3-0", "4-0", "5-0"], upTo: ["5-0"] });
  t.strictSame((await read("0-0", "1-0")).ids, ["1-0"]);
  t.strictSame(await read("6-0", "9-0"), { ids: [], upTo: ["9-0"] }, "where nothing is, the range counts as read");
  t.strictSame(await read("3-0", "3-0"), { ids: [], upTo: [] });
  t.strictSame(await read("5-0", "3-0"), { ids: [], upTo: [] });
  t.strictSame((await readAll(replay, { stream: SYSTEM, after: "0-0", to: "9-0" })).ids, [], "there is no such stream");
});

t.test("a long range is read in pieces, in order and without a seam", async (t) => {
  const { client } = await openRedis(t);
  const expected = Array.from({ length: 750 }, (_, i) => `${i + 1}-0`);
  await Promise.all(expected.map((id) => add(client, ORDERS, id)));
  const { ids, upTo } = await readAll(replayFrom(client), { stream: ORDERS, after: "0-0", to: "750-0" });
  t.strictSame(ids, expected);
  t.strictSame(upTo, ["250-0", "500-0", "750-0"]);
});

t.test("an entry that can be delivered to nobody is passed over", async (t) => {
  const { client } = await openRedis(t);
  await add(client, ORDERS, "1-0");
  await client.xadd(ORDERS.key, "2-0", "nonsense", "x");
  await add(client, ORDERS, "3-0");
  const { ids, upTo } = await readAll(replayFrom(client), { stream: ORDERS, after: "0-0", to: "3-0" });
  t.strictSame(ids, ["1-0", "3-0"]);
  t.strictSame(upTo, ["3-0"]);
});

t.test("the state of a stream that is not there is null", async (t) => {
  const { client } = await openRedis(t);
  const replay = replayFrom(client);
  t.equal(await replay.stateOf(ORDERS), null);
  await add(client, ORDERS, "1-0");
  t.match(await replay.stateOf(ORDERS), { firstId: "1-0", lastId: "1-0", length: 1 });
});

t.test("over the limit only the newest are given, whichever streams they stand in", async (t) => {
  const { client } = await openRedis(t);
  const replay = replayFrom(client);
  // In the order of their time: orders 1, 2, system 3, orders 4, system 5, orders 6.
  for (const i of [1, 2, 4, 6]) await add(client, ORDERS, `${i}-0`);
  for (const i of [3, 5]) await add(client, SYSTEM, `${i}-0`);
  const ranges: StreamRange[] = [
    { stream: ORDERS, after: "0-0", to: "6-0" },
    { stream: SYSTEM, after: "0-0", to: "5-0" },
  ];
  t.strictSame(await replay.leftOut(ranges, 6, every), [null, null]);
  t.strictSame(await replay.leftOut(ranges, 5, every), ["1-0", null]);
  t.strictSame(await replay.leftOut(ranges, 3, every), ["2-0", "3-0"]);
  t.strictSame(await replay.leftOut(ranges, 1, every), ["4-0", "5-0"]);
  t.strictSame(await replay.leftOut(ranges, 0, every), ["6-0", "5-0"]);
  t.strictSame(await replay.leftOut([], 0, every), []);
});

t.test("with any limit, exactly that many are left", async (t) => {
  const { client } = await openRedis(t);
  const replay = replayFrom(client);
  const total = 40;
  const home = (i: number) => (i % 3 === 0 ? SYSTEM : ORDERS);
  for (let i = 1; i <= total; i++) await add(client, home(i), `${i}-0`);
  const ranges = [ORDERS, SYSTEM].map((stream): StreamRange => ({ stream, after: "0-0", to: `${total}-0` }));
  for (const limit of [0, 1, 7, 20, 39, 40, 50]) {
    const leftOut = await replay.leftOut(ranges, limit, every);
    const rest = await Promise.all(ranges.map((r, i) => readAll(replay, { ...r, after: leftOut[i] ?? r.after })));
    const given = rest.flatMap(({ ids }) => ids.map((id) => Number(id.split("-")[0]))).sort((a, b) => a - b);
    const newest = Array.from({ length: total }, (_, i) => i + 1).slice(Math.max(0, total - limit));
    t.strictSame(given, newest, `at most ${limit}`);
  }
});

t.test("only what is wanted, and stands in the range, counts against the limit", async (t) => {
  const { client } = await openRedis(t);
  const replay = replayFrom(client);
  for (let i = 1; i <= 9; i++) await add(client, ORDERS, `${i}-0`, i % 3 === 0 ? "acme" : "globex");
  const range = { stream: ORDERS, after: "0-0", to: "9-0" };
  t.strictSame(await replay.leftOut([range], 3, ofAcme), [null]);
  t.strictSame(await replay.leftOut([range], 2, ofAcme), ["3-0"]);
  t.strictSame(await replay.leftOut([{ ...range, after: "3-0" }], 2, ofAcme), [null]);
});

t.test("what a stream holds beyond the range by now counts too, because it is owed as well", async (t) => {
  const { client } = await openRedis(t);
  for (let i = 1; i <= 6; i++) await add(client, ORDERS, `${i}-0`);
  const range = { stream: ORDERS, after: "0-0", to: "2-0" };
  t.strictSame(await replayFrom(client).leftOut([range], 3, every), ["3-0"]);
});
