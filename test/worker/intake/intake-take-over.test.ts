import type { Redis } from "ioredis";
import t from "tap";
import { CONSUMER } from "../../../src/redis/keys.ts";
import { until } from "../../support/until.ts";
import { openRedis } from "../redis-fixture.ts";
import { add, GROUP, PARTITION, pendingIn, Reading, SHARED, SYSTEM, startReading } from "./reading.ts";

t.test("who takes a stream over reads first what was handed out and not acknowledged", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  for (const { key } of [SHARED, PARTITION, SYSTEM]) await client.xgroup("CREATE", key, GROUP, "0-0", "MKSTREAM");
  for (const id of ["1-0", "2-0", "3-0"]) await add(client, SHARED, id);
  await client.xreadgroup("GROUP", GROUP, CONSUMER, "COUNT", 2, "STREAMS", SHARED.key, ">");
  await client.xack(SHARED.key, GROUP, "1-0");
  const reading = await startReading(t, redis);
  t.equal(reading.attached[0]!.get(SHARED.key), "1-18446744073709551615", "the entry pending is yet to be delivered");
  await until("all entries", () => reading.read === 2);
  t.strictSame(reading.delivered, [`${SHARED.key} 2-0`, `${SHARED.key} 3-0`]);
  t.equal(await pendingIn(client, SHARED), 0);
});

t.test("what another reader is handed meanwhile is delivered too, in its place", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  await client.xgroup("CREATE", SHARED.key, GROUP, "0-0", "MKSTREAM");
  for (const id of ["1-0", "2-0"]) await add(client, SHARED, id);
  const readElsewhere = () => client.xreadgroup("GROUP", GROUP, CONSUMER, "COUNT", 1, "STREAMS", SHARED.key, ">");
  // A reader that died takes the first entry with it, in the very moment in which ours asks for new ones.
  const connect = () => {
    const reader = redis.connect({ blocking: true });
    const call = reader.callBuffer.bind(reader) as (...command: unknown[]) => Promise<unknown>;
    let reads = 0;
    const callLater = async (...command: unknown[]) => {
      if (command.at(-1) === ">" && reads++ === 0) await readElsewhere();
      return call(...command);
    };
    return Object.assign(reader, { callBuffer: callLater });
  };
  // And while ours delivers, it takes another.
  const reading: Reading = new Reading(redis, {
    connect,
    deliver: async (sections) => {
      reading.note(sections);
      if (reading.delivered.length > 2) return;
      await add(client, SHARED, "3-0");
      await readElsewhere();
      await add(client, SHARED, "4-0");
    },
  });
  t.teardown(() => reading.intake.stop());
  await until("all entries", () => reading.read === 4);
  t.strictSame(
    reading.delivered,
    ["1-0", "2-0", "3-0", "4-0"].map((id) => `${SHARED.key} ${id}`),
  );
  t.equal(await pendingIn(client, SHARED), 0);
});

t.test("once another reader cannot be handed anything any more, each entry is asked for only once", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  const before = await startReading(t, redis);
  await before.intake.stop();
  const reads: { isPending: boolean; blockMs: number }[] = [];
  const monitor = await (redis.connect() as Redis).monitor();
  t.teardown(() => monitor.disconnect());
  monitor.on("monitor", (_time: string, [name, ...args]: string[]) => {
    if (name !== "XREADGROUP") return;
    const block = args.indexOf("BLOCK");
    reads.push({ isPending: args.at(-1) === "0", blockMs: block < 0 ? 0 : Number(args[block + 1]) });
  });
  const reading = await startReading(t, redis);
  await add(client, SHARED, "1-0");
  await until("long reads", () => reads.at(-1)?.blockMs === 2_000);
  const settling = reads.slice(0, -1);
  t.ok(settling.filter(({ blockMs }) => blockMs === 200).length > 1, "until then it asks again and again");
  await add(client, SHARED, "2-0");
  await add(client, SHARED, "3-0");
  await until("all entries", () => reading.read === 3);
  t.strictSame(
    reading.delivered,
    ["1-0", "2-0", "3-0"].map((id) => `${SHARED.key} ${id}`),
  );
  t.notOk(reads.slice(settling.length).some(({ isPending }) => isPending));
  t.equal(await pendingIn(client, SHARED), 0);
});

t.test("a stop ends the wait for new entries, and leaves what comes later to the next owner", async (t) => {
  const redis = await openRedis(t);
  const first = await startReading(t, redis);
  await first.intake.stop();
  await add(redis.client, SHARED, "1-0");
  const next = await startReading(t, redis);
  await until("the entry", () => next.read === 1);
  t.strictSame(first.delivered, []);
  t.strictSame(next.delivered, [`${SHARED.key} 1-0`]);
});

t.test("where a stream stands is known from the start to the end, and is the last entry delivered", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  await add(client, SHARED, "1-0");
  let isBroken = false;
  const reading: Reading = await startReading(t, redis, {
    deliver: async (sections) => {
      if (isBroken) throw new Error("not now");
      reading.note(sections);
    },
  });
  const { intake } = reading;
  t.equal(intake.processed.get(SHARED.key), "1-0");
  t.equal(intake.processed.get(PARTITION.key), "0-0");
  await add(client, SHARED, "2-0");
  await add(client, SHARED, "3-0", { payload: "{" });
  await until("both entries", () => reading.read === 2);
  t.equal(intake.processed.get(SHARED.key), "3-0", "one that nobody can get is done with as well");
  isBroken = true;
  await add(client, SHARED, "4-0");
  await until("an attempt to deliver it", () => !intake.isReading);
  await intake.stop();
  t.strictSame([...intake.processed].sort(), [
    [SHARED.key, "3-0"],
    [PARTITION.key, "0-0"],
    [SYSTEM.key, "0-0"],
  ]);
  t.equal(await pendingIn(client, SHARED), 1, "the next owner finds it");
});

t.test("who takes over from one that finished begins where that one stood, even if the group is lost", async (t) => {
  const redis = await openRedis(t);
  for (const id of ["1-0", "2-0", "3-0"]) await add(redis.client, SHARED, id);
  const reading = await startReading(t, redis, { known: new Map([[SHARED.key, "1-0"]]) });
  t.equal(reading.attached[0]!.get(SHARED.key), "1-0");
  await until("both entries", () => reading.read === 2);
  t.strictSame(reading.delivered, [`${SHARED.key} 2-0`, `${SHARED.key} 3-0`]);
});

t.test("what is pending is delivered, also where more was known to have been", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  await client.xgroup("CREATE", SHARED.key, GROUP, "0-0", "MKSTREAM");
  for (const id of ["1-0", "2-0", "3-0"]) await add(client, SHARED, id);
  await client.xreadgroup("GROUP", GROUP, CONSUMER, "COUNT", 2, "STREAMS", SHARED.key, ">");
  const reading = await startReading(t, redis, { known: new Map([[SHARED.key, "2-0"]]) });
  await until("all entries", () => reading.read === 3);
  t.strictSame(
    reading.delivered,
    ["1-0", "2-0", "3-0"].map((id) => `${SHARED.key} ${id}`),
  );
});

t.test("reading that only changes hands counts as reading until it fails", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  const fresh = new Reading(redis);
  t.teardown(() => fresh.intake.stop());
  t.notOk(fresh.intake.isReading);
  let isBroken = true;
  const reading: Reading = new Reading(redis, {
    continues: true,
    deliver: async (sections) => {
      if (isBroken) throw new Error("not now");
      reading.note(sections);
    },
  });
  t.teardown(() => reading.intake.stop());
  t.ok(reading.intake.isReading);
  await until("both to read", () => fresh.intake.isReading && reading.attached.length > 0);
  await fresh.intake.stop();
  await add(client, SHARED, "1-0");
  await until("the failure", () => !reading.intake.isReading);
  isBroken = false;
  await until("the entry", () => reading.read === 1);
  t.ok(reading.intake.isReading);
});
