import t from "tap";
import { startPrivateRedis } from "../../src/cli/private-redis.ts";
import { REFUSALS } from "../../src/protocol/errors.ts";
import { partitionOf } from "../../src/protocol/partition.ts";
import { makeEventWriter } from "../../src/publisher/write.ts";
import { dedupeKey } from "../../src/redis/keys.ts";
import { startTestRedis } from "../support/redis.ts";
import { connectTest, eventOf, eventsIn, publisherSettings, streamKeyOf } from "./redis-fixture.ts";

const TENANTS = ["acme", "globex", "Übermut GmbH", "東京", "🚀", "a{b}c", "x".repeat(256), "line\nbreak", "7"];

t.test("events arrive in their tenant's stream, answered by their ids in order", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);

  const events = TENANTS.flatMap((tenant) => [1, 2].map((payload) => eventOf(tenant, { payload })));
  const ids = await write(events);
  for (const [i, tenant] of TENANTS.entries()) {
    const found = (await eventsIn(client, streamKeyOf(settings, tenant))).filter((event) => event.tenant === tenant);
    t.strictSame(
      found.map(({ id, payload }) => [id, payload]),
      [1, 2].map((payload, j) => [ids[2 * i + j], payload]),
      tenant,
    );
  }
});

t.test("each topic has a stream of its own", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis, { RAGLINE_STREAM_PREFIX: "own:", RAGLINE_PARTITIONS: "3" });
  const client = await connectTest(t, settings);
  await makeEventWriter(client, settings)([eventOf("acme"), eventOf("acme", { topic: "system" })]);
  const partition = partitionOf("acme", 3);
  t.strictSame((await client.keys("*")).sort(), [`own:orders:{${partition}}`, `own:system:{${partition}}`]);
});

t.test("the same event_id of a tenant is added once and answers the first id", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);
  const length = () => client.xlen(streamKeyOf(settings, "acme"));

  const [first] = await write([eventOf("acme", { event_id: "e1", payload: "first" })]);
  t.strictSame(await write([eventOf("acme", { event_id: "e1", payload: "second" })]), [first]);
  t.strictSame(await write([eventOf("acme", { event_id: "e1", topic: "system" })]), [first], "whatever its topic");
  t.equal(await length(), 1);

  const other = await write([eventOf("globex", { event_id: "e1" })]);
  t.not(other[0], first, "another tenant's is another event");

  const mixed = ["e2", "e1", "e2", "e3"].map((event_id) => eventOf("acme", { event_id }));
  const [second, known, again, third] = await write(mixed);
  t.equal(known, first);
  t.equal(again, second, "twice in one request is once");
  t.equal(new Set([first, second, third]).size, 3);
  t.equal(await length(), 3);

  const key = dedupeKey(settings.streamPrefix, partitionOf("acme", settings.partitions), "acme", "e1");
  t.equal(await client.get(key), first);
  const ttl = await client.pttl(key);
  t.ok(ttl > 86_000_000 && ttl <= 86_400_000, "for 24 hours");
  await client.del(key);
  t.not((await write([eventOf("acme", { event_id: "e1" })]))[0], first, "and no longer");
});

t.test("the same event_id published 50 times at once, over several connections, is one entry", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const clients = await Promise.all([1, 2, 3, 4, 5].map(() => connectTest(t, settings)));
  const writers = clients.map((client) => makeEventWriter(client, settings));
  const publishing = Array.from({ length: 50 }, (_, i) => writers[i % 5]!([eventOf("acme", { event_id: "once" })]));
  const answers = await Promise.all(publishing);
  t.equal(new Set(answers.flat()).size, 1);
  t.equal(await clients[0]!.xlen(streamKeyOf(settings, "acme")), 1);
});

t.test("events without an event_id are never taken for one another", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);
  t.equal(new Set(await write(new Array(10).fill(eventOf("acme")))).size, 10);
  t.strictSame(await client.keys("ragline:dedupe:*"), []);
});

t.test("a stream is trimmed to about its length, unless that is 0", async (t) => {
  const redis = await startTestRedis(t, { args: ["--stream-node-max-entries", "10"] });
  const settings = publisherSettings(redis, { RAGLINE_STREAM_MAXLEN: "50" });
  const client = await connectTest(t, settings);
  const many = new Array(500).fill(eventOf("acme"));
  await makeEventWriter(client, settings)(many);
  const kept = await client.xlen(streamKeyOf(settings, "acme"));
  t.ok(kept >= 50 && kept < 70, `${kept} entries`);

  await client.flushall();
  await makeEventWriter(client, { ...settings, streamMaxLen: 0 })(many);
  t.equal(await client.xlen(streamKeyOf(settings, "acme")), 500);
});

t.test("a request of many events is added as a whole", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const events = Array.from({ length: 10_000 }, (_, i) => eventOf(`tenant-${i % 100}`, { event_id: i }));
  const ids = await makeEventWriter(client, settings)(events);
  t.equal(ids.length, 10_000);
  t.notOk(ids.includes(""));
});

t.test("one stream that is no stream, and nothing of the request is added", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);
  const system = eventOf("acme", { topic: "system" });
  await client.set(streamKeyOf(settings, "acme", "system"), "text");
  const refused = { code: "unavailable", message: "Redis refuses to write (WRONGTYPE), try again" };
  await t.rejects(write([eventOf("acme", { event_id: "e1" }), eventOf("globex"), system]), refused);
  t.equal(await client.dbsize(), 1);

  await client.flushall();
  await client.lpush(dedupeKey(settings.streamPrefix, partitionOf("acme", settings.partitions), "acme", "e2"), "x");
  await t.rejects(write([eventOf("acme"), eventOf("acme", { event_id: "e2" })]), refused);
  t.equal(await client.dbsize(), 1);
});

t.test("out of memory, nothing of the request is added, and afterwards all of it", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);
  const events = TENANTS.map((tenant) => eventOf(tenant, { event_id: "e1", payload: "x".repeat(10_000) }));
  const [known] = await write([eventOf("acme", { event_id: "known" })]);

  await client.config("SET", "maxmemory", "1");
  await t.rejects(write(events), { code: "unavailable", message: "Redis refuses to write (OOM), try again" });
  t.strictSame(await write([eventOf("acme", { event_id: "known" })]), [known], "an event known already is answered");
  await client.config("SET", "maxmemory", "0");
  t.equal(await client.dbsize(), 2);

  await write(events);
  const lengths = await Promise.all(TENANTS.map((tenant) => client.exists(streamKeyOf(settings, tenant))));
  t.strictSame(lengths, new Array(TENANTS.length).fill(1));
});

t.test("memory that runs out amid a request does not cut the request in two", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);
  const used = Number(/used_memory:(\d+)/.exec(await client.info("memory"))![1]);
  await client.config("SET", "maxmemory", String(used + 4 * 1024 * 1024));
  const half = Array.from({ length: 16 }, () => eventOf("acme", { payload: "x".repeat(100_000) }));
  let added = 0;
  for (let request = 0; request < 20; request++) {
    const outcome = await write(half).then(
      (ids) => ids.length,
      ({ code }) => code as string,
    );
    if (outcome === "unavailable") break;
    added += outcome as number;
  }
  t.ok(added < 20 * 16, "memory ran out");
  await client.config("SET", "maxmemory", "0");
  t.equal(await client.xlen(streamKeyOf(settings, "acme")), added);
});

t.test("a read-only Redis is told apart from one that is away, and neither says where it is", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);
  const admin = await connectTest(t, settings);
  await admin.call("REPLICAOF", "127.0.0.1", "1");
  await t.rejects(write([eventOf("acme")]), {
    code: "unavailable",
    message: "Redis refuses to write (READONLY), try again",
  });
  await redis.kill();
  await t.rejects(write([eventOf("acme")]), { code: "unavailable", message: REFUSALS.unavailable.message });
});

t.test("killed amid requests, Redis leaves none of them unanswered, and is written to when it is back", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);
  const publishing = Array.from({ length: 200 }, (_, i) => write([eventOf(`tenant-${i}`)]));
  const outcomes = Promise.allSettled(publishing);
  await publishing[0];
  await redis.kill();
  for (const outcome of await outcomes) {
    if (outcome.status === "rejected") t.equal(outcome.reason.code, "unavailable");
  }
  await t.rejects(write([eventOf("acme")]), { code: "unavailable" });

  const back = await startPrivateRedis({ port: redis.port });
  t.teardown(() => back.stop());
  while (!(await write([eventOf("acme")]).catch(() => null))) {
    await new Promise((resolve) => client.once("ready", resolve));
  }
  t.ok(await client.xlen(streamKeyOf(settings, "acme")));
});

t.test("a Redis that has forgotten the script is given it again", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);
  await write([eventOf("acme")]);
  await client.script("FLUSH");
  t.equal((await write([eventOf("acme")])).length, 1);
});

t.test("in a cluster every partition's events reach the node of its slot", async (t) => {
  const nodes = await Promise.all([1, 2].map(() => startTestRedis(t, { args: ["--cluster-enabled", "yes"] })));
  const [one, two] = await Promise.all(nodes.map((node) => connectTest(t, publisherSettings(node))));
  await one!.call("CLUSTER", "ADDSLOTSRANGE", "0", "8191");
  await two!.call("CLUSTER", "ADDSLOTSRANGE", "8192", "16383");
  await one!.call("CLUSTER", "MEET", "127.0.0.1", String(nodes[1]!.port));
  for (const node of [one!, two!]) {
    while (!String(await node.call("CLUSTER", "INFO")).includes("cluster_state:ok")) await node.ping();
  }

  const settings = publisherSettings(nodes[0]!, { REDIS_MODE: "cluster" });
  const client = await connectTest(t, settings);
  const write = makeEventWriter(client, settings);
  const events = Array.from({ length: 200 }, (_, i) => eventOf(`tenant-${i}`, { event_id: `e${i}`, payload: i }));
  const ids = await write(events);
  t.strictSame(await write(events), ids, "once each");
  for (const [i, { tenant }] of events.entries()) {
    const inStream = await eventsIn(client, streamKeyOf(settings, tenant));
    t.match(
      inStream.find((event) => event.payload === i),
      { tenant, id: ids[i] },
    );
  }
  t.ok((await one!.dbsize()) > 0 && (await two!.dbsize()) > 0, "both nodes hold some");
});
