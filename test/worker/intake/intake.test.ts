import t, { type Test } from "tap";
import { openLog } from "../../../src/observe/log.ts";
import { encodeEvents } from "../../../src/pool/encode-events.ts";
import type { BatchSection } from "../../../src/protocol/batch.ts";
import { partitionStream, type StreamRef, sharedStream } from "../../../src/protocol/stream.ts";
import type { RedisClient } from "../../../src/redis/connect.ts";
import { deadLetterKey } from "../../../src/redis/keys.ts";
import { Intake, type IntakeOptions } from "../../../src/worker/intake/intake.ts";
import { until } from "../../support/until.ts";
import { LAYOUT } from "../fanout/listener.ts";
import { type OpenRedis, openRedis } from "../redis-fixture.ts";

const GROUP = "ragline-gateway:test:1";
const SHARED = sharedStream(LAYOUT, "orders");
const PARTITION = partitionStream(LAYOUT, "orders", 2);
const SYSTEM = sharedStream(LAYOUT, "system");

class Reading {
  readonly intake: Intake;
  readonly delivered: string[] = [];
  readonly attached: ReadonlyMap<string, string>[] = [];
  readonly deadLetters: string[] = [];
  read = 0;

  constructor({ client, connect }: OpenRedis, options: Partial<IntakeOptions> = {}) {
    this.intake = new Intake({
      mayStart: Promise.resolve(),
      group: GROUP,
      streams: [SHARED, PARTITION, SYSTEM],
      commands: client,
      connect: () => connect({ blocking: true }),
      encode: async (raw) => encodeEvents(raw, { msgpack: false }),
      deliver: async (sections) => this.note(sections),
      onAttached: (positions) => this.attached.push(positions),
      onRead: (entries) => {
        this.read += entries;
      },
      onDeadLetter: (reason) => this.deadLetters.push(reason),
      log: openLog("silent", {}),
      ...options,
    });
  }

  note(sections: readonly BatchSection[]): void {
    for (const { streamKey, records } of sections) {
      for (const { id } of records) this.delivered.push(`${streamKey} ${id}`);
    }
  }
}

async function startReading(t: Test, redis: OpenRedis, options?: Partial<IntakeOptions>): Promise<Reading> {
  const reading = new Reading(redis, options);
  t.teardown(() => reading.intake.stop());
  await until("the first read", () => reading.intake.isReading);
  return reading;
}

function add(client: RedisClient, { key }: StreamRef, id: string, fields: Record<string, string> = {}) {
  const entry = { event_type: "order_created", tenant_id: "acme", payload: "{}", ...fields };
  return client.xadd(key, id, ...Object.entries(entry).flat());
}

async function pendingIn(client: RedisClient, { key }: StreamRef): Promise<number> {
  const [count] = (await client.xpending(key, GROUP)) as [number, ...unknown[]];
  return count;
}

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

t.test("nothing is read before it may start", async (t) => {
  const redis = await openRedis(t);
  let start = () => {};
  const mayStart = new Promise<void>((resolve) => {
    start = resolve;
  });
  const connected: unknown[] = [];
  const connect = () => {
    connected.push("connected");
    return redis.connect({ blocking: true });
  };
  const reading = new Reading(redis, { mayStart, connect });
  t.teardown(() => reading.intake.stop());
  await add(redis.client, SHARED, "1-0");
  t.strictSame([reading.intake.isReading, connected], [false, []]);
  start();
  await until("the first read", () => reading.intake.isReading);
  t.equal(reading.attached[0]!.get(SHARED.key), "1-0");
});

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

t.test("who takes a stream over reads first what was handed out and not acknowledged", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  for (const { key } of [SHARED, PARTITION, SYSTEM]) await client.xgroup("CREATE", key, GROUP, "0-0", "MKSTREAM");
  for (const id of ["1-0", "2-0", "3-0"]) await add(client, SHARED, id);
  await client.xreadgroup("GROUP", GROUP, "owner", "COUNT", 2, "STREAMS", SHARED.key, ">");
  await client.xack(SHARED.key, GROUP, "1-0");
  const reading = await startReading(t, redis);
  t.equal(reading.attached[0]!.get(SHARED.key), "1-18446744073709551615", "the entry pending is yet to be delivered");
  await until("all entries", () => reading.read === 2);
  t.strictSame(reading.delivered, [`${SHARED.key} 2-0`, `${SHARED.key} 3-0`]);
  t.equal(await pendingIn(client, SHARED), 0);
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

const ENTRY = ["event_type", "order_created", "tenant_id", "acme", "payload", "{}"];
