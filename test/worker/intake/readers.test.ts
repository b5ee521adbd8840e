import t, { type Test } from "tap";
import { partitionStream, type StreamRef, unitStreams } from "../../../src/protocol/stream.ts";
import { connectRedis } from "../../../src/redis/connect.ts";
import type { IntakeOptions } from "../../../src/worker/intake/intake.ts";
import { Readers, type ReadersOptions } from "../../../src/worker/intake/readers.ts";
import { freePort } from "../../support/free-port.ts";
import { turns } from "../../support/turns.ts";
import { until } from "../../support/until.ts";
import { LAYOUT } from "../fanout/listener.ts";
import { type OpenRedis, openRedis } from "../redis-fixture.ts";
import { add, PARTITION, Reading, SHARED, SYSTEM } from "./reading.ts";

const NOTHING: ReadonlyMap<string, string> = new Map();

/** All that one worker reads, and how each of its intakes was opened. */
class Worker {
  readonly readers: Readers;
  readonly delivered: string[] = [];
  readonly opened: { keys: string[]; processed: ReadonlyMap<string, string>; continues: boolean }[] = [];

  constructor(redis: OpenRedis, mode: ReadersOptions["mode"], options: Partial<IntakeOptions> = {}) {
    this.readers = new Readers({
      mode,
      open: (streams, processed, continues) => {
        this.opened.push({ keys: keysOf(streams), processed, continues });
        const reading: Reading = new Reading(redis, {
          streams,
          known: processed,
          continues,
          deliver: async (sections) => {
            reading.note(sections);
            this.delivered.push(...reading.delivered.splice(0));
          },
          ...options,
        });
        return reading.intake;
      },
    });
  }

  deliveredOf({ key }: StreamRef): string[] {
    return this.delivered.filter((entry) => entry.startsWith(`${key} `)).map((entry) => entry.slice(key.length + 1));
  }

  async reading(): Promise<void> {
    await until("every stream to be read", () => this.readers.isReading);
  }
}

function startWorker(t: Test, redis: OpenRedis, mode: ReadersOptions["mode"] = "standalone", options = {}): Worker {
  const worker = new Worker(redis, mode, options);
  t.teardown(() => worker.readers.stop());
  return worker;
}

function keysOf(streams: readonly StreamRef[]): string[] {
  return streams.map(({ key }) => key);
}

t.test("a stream that is released is read no more, and the next owner goes on where it stood", async (t) => {
  const redis = await openRedis(t);
  const { client } = redis;
  const [worker, next] = [startWorker(t, redis), startWorker(t, redis)];
  await worker.readers.take([SHARED, SYSTEM], NOTHING);
  await worker.reading();
  await add(client, SHARED, "1-0");
  await until("the first entry", () => worker.delivered.length === 1);
  const positions = await worker.readers.release([SHARED.key]);
  t.strictSame([...positions], [[SHARED.key, "1-0"]], "what stays is nobody's business");
  await add(client, SHARED, "2-0");
  await add(client, SYSTEM, "3-0");
  await until("an entry of the stream that stays", () => worker.deliveredOf(SYSTEM).length === 1);
  t.strictSame(worker.deliveredOf(SHARED), ["1-0"]);
  await next.readers.take([SHARED], positions);
  await until("the entry added meanwhile", () => next.deliveredOf(SHARED).length === 1);
  await add(client, SHARED, "4-0");
  await until("the one after it", () => next.deliveredOf(SHARED).length === 2);
  t.strictSame(next.delivered, [`${SHARED.key} 2-0`, `${SHARED.key} 4-0`]);
});

t.test("while others come and go, the streams that stay are read on without loss or repeat", async (t) => {
  const redis = await openRedis(t);
  const worker = startWorker(t, redis);
  await worker.readers.take([SHARED, PARTITION], NOTHING);
  await worker.reading();
  const ids = Array.from({ length: 300 }, (_, i) => `${i + 1}-0`);
  const adding = (async () => {
    for (const id of ids) await Promise.all([add(redis.client, SHARED, id), add(redis.client, PARTITION, id)]);
  })();
  for (let i = 0; i < 6; i++) {
    const before = worker.delivered.length;
    await worker.readers.take([SYSTEM], NOTHING);
    t.ok(worker.readers.isReading, "it never counts as stopped");
    await until("some more", () => worker.delivered.length > before || worker.delivered.length === 2 * ids.length);
    await worker.readers.release([SYSTEM.key]);
    t.ok(worker.readers.isReading);
  }
  await adding;
  await until("all entries", () => worker.delivered.length >= 2 * ids.length);
  t.strictSame(worker.deliveredOf(SHARED), ids);
  t.strictSame(worker.deliveredOf(PARTITION), ids);
});

t.test("a stream is handed back and forth without loss or repeat", async (t) => {
  const redis = await openRedis(t);
  const workers = [startWorker(t, redis), startWorker(t, redis)];
  await workers[0]!.readers.take([SHARED, PARTITION], NOTHING);
  await workers[1]!.readers.take([SYSTEM], NOTHING);
  await Promise.all(workers.map((worker) => worker.reading()));
  const ids = Array.from({ length: 300 }, (_, i) => `${i + 1}-0`);
  const adding = (async () => {
    for (const id of ids) await add(redis.client, SHARED, id);
  })();
  const deliveredByAll = () => workers.flatMap((worker) => worker.deliveredOf(SHARED));
  for (let i = 0; i < 6; i++) {
    const [from, to] = i % 2 === 0 ? workers : workers.toReversed();
    await until("some more", () => from!.delivered.length > 0 || deliveredByAll().length === ids.length);
    await to!.readers.take([SHARED], await from!.readers.release([SHARED.key]));
  }
  await adding;
  await until("all entries", () => deliveredByAll().length >= ids.length);
  const byNumber = (a: string, b: string) => Number.parseInt(a, 10) - Number.parseInt(b, 10);
  t.strictSame(deliveredByAll().toSorted(byNumber), ids);
  for (const worker of workers) {
    t.strictSame(worker.deliveredOf(SHARED), worker.deliveredOf(SHARED).toSorted(byNumber), "in order");
  }
});

t.test("a release waits for what was read, and a taker is told where things stand", async (t) => {
  const redis = await openRedis(t);
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let delivering = false;
  const deliver = () => {
    delivering = true;
    return finished;
  };
  const worker = startWorker(t, redis, "standalone", { deliver });
  await worker.readers.take([SHARED, SYSTEM], NOTHING);
  await worker.reading();
  await add(redis.client, SHARED, "1-0");
  await until("the delivery to begin", () => delivering);
  const settled = worker.readers.settled().then(() => "settled");
  const released = worker.readers.release([SHARED.key]);
  t.equal(await Promise.race([settled, released, turns(20)]), "waiting");
  finish();
  t.equal(await settled, "settled");
  t.strictSame([...(await released)], [[SHARED.key, "1-0"]]);
  await worker.readers.take([SHARED], await released);
  t.strictSame(worker.opened.at(-1)!.processed, new Map([...(await released), [SYSTEM.key, "0-0"]]));
});

t.test("where nothing has been read yet, what the taker was told is handed on", async (t) => {
  const redis = await openRedis(t);
  const nowhere = `redis://127.0.0.1:${await freePort()}`;
  const connect = () => {
    const target = { mode: "standalone" as const, urls: [nowhere] };
    return connectRedis(target, { name: "test", blocking: true, onError: () => {} });
  };
  const worker = startWorker(t, redis, "standalone", { connect });
  await worker.readers.take([SHARED, SYSTEM], new Map([[SHARED.key, "5-0"]]));
  t.notOk(worker.readers.isReading);
  const released = await worker.readers.release([SHARED.key, SYSTEM.key]);
  t.strictSame([...released], [], "who never read has no last word");
  t.ok(worker.readers.isReading, "who has nothing to read lacks nothing");
});

t.test("changes asked for at the same time are made one after the other", async (t) => {
  const redis = await openRedis(t);
  const worker = startWorker(t, redis);
  const { readers } = worker;
  await Promise.all([
    readers.take([SHARED, SYSTEM], new Map([[SHARED.key, "0-0"]])),
    readers.take([PARTITION], NOTHING),
    readers.release([SHARED.key]),
    readers.release([SYSTEM.key]),
  ]);
  t.strictSame(
    worker.opened.map(({ keys }) => keys),
    [[SHARED, SYSTEM], [SHARED, SYSTEM, PARTITION], [SYSTEM, PARTITION], [PARTITION]].map(keysOf),
  );
  await worker.reading();
  for (const stream of [SHARED, SYSTEM, PARTITION]) await add(redis.client, stream, "1-0");
  await until("the entry", () => worker.delivered.length > 0);
  t.strictSame(worker.delivered, [`${PARTITION.key} 1-0`]);
});

t.test("in a cluster each hash slot has a reader of its own, and only those concerned are changed", async (t) => {
  const redis = await openRedis(t);
  const worker = startWorker(t, redis, "cluster");
  const [two, three] = [unitStreams(LAYOUT, "partition:2"), unitStreams(LAYOUT, "partition:3")];
  const opened = () => worker.opened.splice(0).map(({ keys, continues }) => ({ keys, continues }));
  await worker.readers.take([...two, SHARED], NOTHING);
  t.strictSame(opened(), [
    { keys: keysOf(two), continues: false },
    { keys: [SHARED.key], continues: false },
  ]);
  await worker.reading();
  await worker.readers.take(three, NOTHING);
  t.strictSame(opened(), [{ keys: keysOf(three), continues: false }]);
  await worker.reading();
  await worker.readers.release([SHARED.key]);
  t.strictSame(opened(), []);
  await worker.readers.release([two[0]!.key]);
  t.strictSame(opened(), [{ keys: keysOf(two.slice(1)), continues: true }]);
  await worker.reading();
  for (const stream of [SHARED, ...two, ...three]) await add(redis.client, stream, "1-0");
  const expected = [...two.slice(1), ...three].map(({ key }) => `${key} 1-0`);
  await until("the entries", () => worker.delivered.length >= expected.length);
  t.strictSame(worker.delivered.toSorted(), expected.toSorted());
});

t.test("a stream that is taken twice is read once", async (t) => {
  const redis = await openRedis(t);
  const worker = startWorker(t, redis);
  await worker.readers.take([SHARED], NOTHING);
  await worker.readers.take([{ ...SHARED }], new Map([[SHARED.key, "9-0"]]));
  t.equal(worker.opened.length, 1);
  t.strictSame([...(await worker.readers.release([partitionStream(LAYOUT, "orders", 0).key]))], []);
  t.equal(worker.opened.length, 1, "and what was never taken cannot be released");
});

t.test("whoever stops reads nothing any more", async (t) => {
  const redis = await openRedis(t);
  const worker = startWorker(t, redis);
  const next = startWorker(t, redis);
  await worker.readers.take([SHARED], NOTHING);
  await worker.reading();
  await worker.readers.stop();
  await add(redis.client, SHARED, "1-0");
  await next.readers.take([SHARED], NOTHING);
  await until("the entry", () => next.delivered.length === 1);
  t.strictSame(worker.delivered, []);
});
