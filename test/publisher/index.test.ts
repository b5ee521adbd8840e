import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import t from "tap";
import { createPublisher, MAX_REQUEST_ITEMS, RefusalError, SettingsError } from "../../src/publisher/index.ts";
import { startTestRedis } from "../support/redis.ts";
import { connectTest, eventsIn, publisherSettings, streamKeyOf } from "./redis-fixture.ts";

const EVENT = { topic: "orders", event_type: "order_created", payload: { n: 1 }, tenant_id: "acme" };

t.test("an application publishes from the moment it has a publisher", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const publisher = createPublisher({ redisUrl: redis.url });
  t.teardown(() => publisher.close());

  const ids = await Promise.all([1, 2, 3].map((payload) => publisher.publish({ ...EVENT, payload })));
  const more = await publisher.publishMany([{ ...EVENT, tenant_id: 7, target_user_id: 8 }, EVENT]);
  const acme = await eventsIn(client, streamKeyOf(settings, "acme"));
  t.strictSame(
    acme.map(({ id }) => id),
    [...ids, more[1]],
  );
  t.match(await eventsIn(client, streamKeyOf(settings, "7")), [{ id: more[0], tenant: "7", targetUser: "8" }]);
  t.strictSame(await publisher.publishMany([]), []);
});

t.test("a payload arrives as JSON.stringify writes it", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const publisher = createPublisher({ redisUrl: redis.url });
  t.teardown(() => publisher.close());

  const payload = { at: new Date(0), none: undefined, list: [undefined, Number.NaN], money: { toJSON: () => "5 EUR" } };
  await publisher.publish({ ...EVENT, payload });
  const [event] = await eventsIn(client, streamKeyOf(settings, "acme"));
  t.equal(event?.payloadJson, JSON.stringify(payload));

  const cycle: unknown[] = [];
  cycle.push(cycle);
  for (const bad of [cycle, 5n, () => 1, Symbol("s")]) {
    const expected = { code: "bad_request", message: "item 0: payload: has no JSON form" };
    await t.rejects(publisher.publish({ ...EVENT, payload: bad }), expected);
  }
  await t.rejects(publisher.publish({ ...EVENT, payload: undefined }), { message: "item 0: payload: missing" });
});

t.test("what is refused says why, with a code, and adds nothing", async (t) => {
  const redis = await startTestRedis(t);
  const client = await connectTest(t, publisherSettings(redis));
  const publisher = createPublisher({ redisUrl: redis.url, topics: ["orders"] });
  t.teardown(() => publisher.close());
  const { tenant_id: _, ...withoutTenant } = EVENT;
  await t.rejects(publisher.publishMany([EVENT, withoutTenant as typeof EVENT]), {
    code: "bad_request",
    message: "item 1: tenant_id: missing",
  });
  await t.rejects(publisher.publish({ ...EVENT, topic: "system" }), RefusalError);
  await t.rejects(publisher.publish(null as unknown as typeof EVENT), { message: "item 0: must be an object" });
  await t.rejects(publisher.publish({ ...EVENT, payload: "x".repeat(1 << 20) }), { code: "too_large" });
  await t.rejects(publisher.publishMany(new Array(MAX_REQUEST_ITEMS + 1).fill(EVENT)), { code: "too_large" });
  t.equal(await client.dbsize(), 0);
});

t.test("options are checked like the settings they stand for, and go before the environment", async (t) => {
  const redis = await startTestRedis(t);
  const client = await connectTest(t, publisherSettings(redis));
  t.throws(() => createPublisher({ redisUrl: "http://x", partitions: 0 }), SettingsError);
  t.throws(() => createPublisher({ redisMode: "sentinel" }), { message: /REDIS_SENTINEL_NAME/ });
  const options = { redisUrl: redis.url, streamPrefix: "own:", partitions: 1, topics: ["a", "b"], streamMaxLen: 0 };
  const publisher = createPublisher(options);
  t.teardown(() => publisher.close());
  await publisher.publish({ ...EVENT, topic: "b" });
  t.strictSame(await client.keys("*"), ["own:b:{0}"]);
});

t.test("while Redis is away nothing is queued, and afterwards it goes on", async (t) => {
  const redis = await startTestRedis(t);
  const away = createPublisher({ redisUrl: "redis://user:hidden@127.0.0.1:1" });
  t.teardown(() => away.close());
  const refusal = await away.publish(EVENT).catch((error: unknown) => error);
  t.match(refusal, { code: "unavailable" });
  t.notMatch(String(refusal), /hidden|127/);

  const publisher = createPublisher({ redisUrl: redis.url });
  t.teardown(() => publisher.close());
  await publisher.publish(EVENT);
  await redis.kill();
  await t.rejects(publisher.publish(EVENT), { code: "unavailable" });
  await t.rejects(publisher.publishMany([EVENT, EVENT]), { code: "unavailable" });
});

t.test("closing waits for what was published before, and ends the rest", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const publisher = createPublisher({ redisUrl: redis.url });
  const publishing = Promise.all(Array.from({ length: 100 }, () => publisher.publish(EVENT)));
  await publisher.close();
  t.equal((await publishing).length, 100);
  t.equal(await client.xlen(streamKeyOf(settings, "acme")), 100);
  await t.rejects(publisher.publish(EVENT), { code: "unavailable", message: "the publisher is closed" });
  await publisher.close();
});

t.test("a process ends by itself once its publisher is closed, whether Redis is there or not", async (t) => {
  const redis = await startTestRedis(t);
  const library = fileURLToPath(new URL("../../src/publisher/index.ts", import.meta.url));
  const script = `
    import { createPublisher } from ${JSON.stringify(library)};
    const publisher = createPublisher();
    const answer = await publisher.publish(${JSON.stringify(EVENT)}).catch((error) => error.code);
    await publisher.close();
    console.log(answer);`;
  for (const [url, answer] of [
    [redis.url, /^\d+-\d+\n$/],
    ["redis://127.0.0.1:1", /^unavailable\n$/],
  ] as const) {
    const args = ["--import=tsx", "--input-type=module", "--eval", script];
    // The only variable, and so the one that createPublisher() goes by.
    const child = spawn(process.execPath, args, { env: { REDIS_URL: url }, stdio: ["ignore", "pipe", "inherit"] });
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    t.match(output, answer);
    t.equal(code, 0);
  }
});
