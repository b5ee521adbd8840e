import t from "tap";
import type { StreamRef } from "../../../src/protocol/stream.ts";
import { deadLetterKey } from "../../../src/redis/keys.ts";
import { until } from "../../support/until.ts";
import { openRedis } from "../redis-fixture.ts";
import { add, GROUP, PARTITION, pendingIn, type Reading, SHARED, SYSTEM, startReading } from "./reading.ts";

t.test(
  "shared and partitioned streams are read from the live end on, and all that was delivered is acknowledged",
  async (t) => {
    const redis = await openRedis(t);
    const { client } = redis;
    await add(client, SHARED, "1-0");
    const reading = await startReading(t, redis);
    t.strictSame(
      [...reading.attached[0]!],
      [
        [SHARED.key, "1-0"],
        [PARTITION.key, "0-0"],
        [SYSTEM.key, "0-0"],
      ],
    );
    await add(client, SHARED, "2-0");
    await add(client, PARTITION, "3-0");
    await add(client, SHARED, "4-0");
    await until("all entries", () => reading.read === 3);
    const deliveredOf = ({ key }: StreamRef) => reading.delivered.filter((entry) => entry.startsWith(`${key} `));
    t.strictSame(deliveredOf(SHARED), [`${SHARED.key} 2-0`, `${SHARED.key} 4-0`]);
    t.strictSame(deliveredOf(PARTITION), [`${PARTITION.key} 3-0`]);
    for (const stream of [SHARED, PARTITION]) t.equal(await pendingIn(client, stream), 0);
  },
);

t.test("a burst is delivered in the order of its stream, each entry once", async (t) => {
  const redis = await openRedis(t);
  const reading = await startReading(t, redis);
  const ids = Array.from({ length: 700 }, (_, i) => `${i + 1}-0`);
  await Promise.all(ids.map((id) => add(redis.client, PARTITION, id)));
  await until("all entries", () => reading.read === 700);
  t.strictSame(
    reading.delivered,
    ids.map((id) => `${PARTITION.key} ${id}`),
  );
  t.equal(await pendingIn(redis.client, PARTITION), 0);
});

t.test("nothing is acknowledged before it was delivered, and `settled` waits for that", async (t) => {
  const redis = await openRedis(t);
  let finish = () => {};
  const reading = await startReading(t, redis, {
    deliver: () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
  });
  await add(redis.client, SHARED, "1-0");
  await until("the entry to be handed out", async () => (await pendingIn(redis.client, SHARED)) === 1);
  const settled = reading.intake.settled().then(() => "settled");
  t.equal(await Promise.race([settled, Promise.resolve("waiting")]), "waiting");
  await until("its delivery", () => {
    finish();
    return reading.read === 1;
  });
  t.equal(await settled, "settled");
  t.equal(await pendingIn(redis.client, SHARED), 0);
});

t.test("what could not be delivered is read again", async (t) => {
  const redis = await openRedis(t);
  let failures = 0;
  const reading: Reading = await startReading(t, redis, {
    deliver: async (sections) => {
      if (failures++ < 2) throw new Error("not now");
      reading.note(sections);
    },
  });
  await add(redis.client, SHARED, "1-0");
  await add(redis.client, SHARED, "2-0");
  await until("both entries", () => reading.read === 2);
  t.strictSame(reading.delivered, [`${SHARED.key} 1-0`, `${SHARED.key} 2-0`]);
  t.ok(reading.intake.isReading);
});

t.test("an entry that can be delivered to nobody is put aside with its fields, and stops no other", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  const reading = await startReading(t, redis);
  await add(client, SHARED, "1-0", { payload: "{" });
  await add(client, SHARED, "2-0");
  await until("both entries", () => reading.read === 2);
  t.strictSame(reading.delivered, [`${SHARED.key} 2-0`]);
  t.strictSame(reading.deadLetters, ["payload_not_json"]);
  const [[, letter]] = (await client.xrange(deadLetterKey("orders"), "-", "+")) as [[string, string[]]];
  const fields = Object.fromEntries(letter.map((name, i) => [name, letter[i + 1]!]).filter((_, i) => i % 2 === 0));
  t.strictSame(fields, {
    event_type: "order_created",
    tenant_id: "acme",
    payload: "{",
    id: "1-0",
    stream: SHARED.key,
    reason: "payload_not_json",
  });
  t.equal(await pendingIn(client, SHARED), 0);
});

t.test(
  "when the group is deleted, reading goes on behind the last entry processed: none left out, none twice",
  async (t) => {
    const redis = await openRedis(t);
    const { client } = redis;
    const reading = await startReading(t, redis);
    await add(client, SHARED, "1-0");
    await until("the first entry", () => reading.read === 1);
    await client
      .multi()
      .xgroup("DESTROY", SHARED.key, GROUP)
      .xadd(SHARED.key, "2-0", ...ENTRY)
      .exec();
    await add(client, SHARED, "3-0");
    await until("the others", () => reading.read === 3);
    t.strictSame(
      reading.delivered,
      ["1-0", "2-0", "3-0"].map((id) => `${SHARED.key} ${id}`),
    );
  },
);

t.test("when everything is deleted, what is added afterwards is read, with the group made again", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  const reading = await startReading(t, redis);
  await add(client, SHARED, "1-0");
  await until("the first entry", () => reading.read === 1);
  await client.flushall();
  await add(client, SHARED, "2-0");
  await until("the next", () => reading.read === 2);
  t.strictSame(reading.delivered.at(-1), `${SHARED.key} 2-0`);
});

t.test("a connection that is cut is made again, without loss or repeat", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  const reading = await startReading(t, redis);
  await add(client, SHARED, "1-0");
  await until("the first entry", () => reading.read === 1);
  await client.call("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES");
  await add(client, SHARED, "2-0");
  await until("the second", () => reading.read === 2);
  t.strictSame(reading.delivered, [`${SHARED.key} 1-0`, `${SHARED.key} 2-0`]);
});

const ENTRY = ["event_type", "order_created", "tenant_id", "acme", "payload", "{}"];
