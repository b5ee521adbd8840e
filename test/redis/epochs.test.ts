import t from "tap";
import { countReset, readEpochs } from "../../src/redis/epochs.ts";
import { openRedis } from "../worker/redis-fixture.ts";

t.test("a stream that was never seen deleted has no epoch of its own", async (t) => {
  const { client } = await openRedis(t);
  t.strictSame([...(await readEpochs(client))], []);
});

t.test("everyone who sees the same stream end arrives at the same epoch", async (t) => {
  const { client } = await openRedis(t);
  t.strictSame(await Promise.all([0, 0, 0].map((known) => countReset(client, "orders", known))), [1, 1, 1]);
  t.strictSame(await Promise.all([1, 1].map((known) => countReset(client, "orders", known))), [2, 2]);
  t.equal(await countReset(client, "orders", 0), 2, "also who slept through one of them");
  t.equal(await countReset(client, "system", 0), 1, "each stream has its own");
  t.strictSame([...(await readEpochs(client))].sort(), [
    ["orders", 2],
    ["system", 1],
  ]);
});

t.test("an epoch that was lost with the stream is never given out a second time", async (t) => {
  const { client } = await openRedis(t);
  t.equal(await countReset(client, "orders", 0), 1);
  t.equal(await countReset(client, "orders", 1), 2);
  await client.flushall();
  t.equal(await countReset(client, "orders", 2), 3);
  t.equal(await countReset(client, "orders", 2), 3);
});
