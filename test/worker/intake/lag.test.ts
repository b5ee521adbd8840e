import t, { type Test } from "tap";
import { Lag } from "../../../src/worker/intake/lag.ts";
import { openRedis } from "../redis-fixture.ts";

const KEY = "ragline:stream:orders";
const NOW = 1_000_000;

async function openStream(t: Test, ids: readonly string[]) {
  const { client } = await openRedis(t);
  for (const id of ids) await client.xadd(KEY, id, "n", "1");
  return { client, lag: new Lag(client, () => NOW) };
}

t.test("a stream that is delivered to its end, is empty or is not there is not behind", async (t) => {
  const { client, lag } = await openStream(t, ["1-0", "2-0"]);
  t.strictSame(await lag.of(KEY, "2-0"), { key: KEY, position: "2-0", lag: 0, lagSeconds: 0 });
  t.match(await lag.of("nowhere", "0-0"), { lag: 0, lagSeconds: 0 });
  await client.del(KEY);
  t.match(await lag.of(KEY, "2-0"), { lag: 0, lagSeconds: 0 });
});

t.test("what is left is counted, and the age of the earliest told", async (t) => {
  const { lag } = await openStream(t, ["1000-0", "400000-0", "400000-1", "990000-0"]);
  t.match(await lag.of(KEY, "1000-0"), { lag: 3, lagSeconds: 600 });
  t.match(await lag.of(KEY, "400000-1"), { lag: 1, lagSeconds: 10 });
  t.match(await lag.of(KEY, "0-0"), { lag: 4, lagSeconds: 999 }, "from before the first entry");
});

t.test("entries trimmed unread do not count, unlike in Redis' own figure", async (t) => {
  const { client, lag } = await openStream(t, ["1-0", "2-0"]);
  await lag.of(KEY, "2-0");
  for (let id = 3; id <= 102; id++) await client.xadd(KEY, `${id}-0`, "n", "1");
  t.match(await lag.of(KEY, "2-0"), { lag: 100 });
  await client.xtrim(KEY, "MAXLEN", 10);
  t.match(await lag.of(KEY, "2-0"), { lag: 10 });
});

t.test("a long backlog is told from what was added and delivered since it was last at the end", async (t) => {
  const { client, lag } = await openStream(t, ["1-0"]);
  await lag.of(KEY, "1-0");
  const adding = client.pipeline();
  for (let id = 2; id <= 5_001; id++) adding.xadd(KEY, `${id}-0`, "n", "1");
  await adding.exec();
  t.match(await lag.of(KEY, "1-0"), { lag: 5_000 });
  lag.delivered(KEY, 1_500);
  t.match(await lag.of(KEY, "1501-0"), { lag: 3_500 });
});

t.test("of a stream that was taken over far behind, the share of its time span is told", async (t) => {
  const { client, lag } = await openStream(t, []);
  const adding = client.pipeline();
  for (let id = 1; id <= 4_000; id++) adding.xadd(KEY, `${id}-0`, "n", "1");
  await adding.exec();
  const { lag: entries } = await lag.of(KEY, "2000-0");
  t.ok(entries >= 1_900 && entries <= 2_100, `about 2,000: ${entries}`);
});
