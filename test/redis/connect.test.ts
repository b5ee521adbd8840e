import { once } from "node:events";
import fc from "fast-check";
import t, { type Test } from "tap";
import { sharedStream, tenantStreams } from "../../src/protocol/stream.ts";
import {
  type ConnectOptions,
  connectRedis,
  type RedisClient,
  type RedisTarget,
  retryDelay,
  whenReady,
} from "../../src/redis/connect.ts";
import { createGroup, dataNodes, readGroup, removeGroup, streamState } from "../../src/redis/streams.ts";
import { freePort } from "../support/free-port.ts";
import { startTestRedis, type TestRedis } from "../support/redis.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { startTlsServer } from "./tls-server.ts";
import { ask, startCluster, startSentinel } from "./topologies.ts";

function connect(t: Test, target: RedisTarget, options: Partial<ConnectOptions> = {}): RedisClient {
  const client = connectRedis(target, { name: "test", onError: () => {}, ...options });
  t.teardown(() => client.disconnect());
  return client;
}

function standalone(...urls: string[]): RedisTarget {
  return { mode: "standalone", urls };
}

async function ready(t: Test, target: RedisTarget, options: Partial<ConnectOptions> = {}): Promise<RedisClient> {
  const client = connect(t, target, options);
  await whenReady(client);
  return client;
}

/** A read that Redis holds open, on a stream with a group. */
async function blockedRead(t: Test, target: RedisTarget): Promise<{ reader: RedisClient; read: Promise<unknown> }> {
  const commands = await ready(t, target);
  await createGroup(commands, "s", "g", "0-0");
  const reader = await ready(t, target, { blocking: true, name: "reader" });
  const read = readGroup(reader, { group: "g", consumer: "c", keys: ["s"], after: ">", count: 1, blockMs: 0 });
  read.catch(() => {});
  await until("Redis holds the read open", () => isBlocking(commands));
  return { reader, read };
}

async function isBlocking(client: RedisClient): Promise<boolean> {
  return / flags=b/.test(String(await client.client("LIST")));
}

t.test("a connection has a name that operators see", async (t) => {
  const redis = await startTestRedis(t);
  const client = await ready(t, standalone(redis.url), { name: "ragline-commands" });
  t.match(await client.client("LIST"), / name=ragline-commands /);
});

t.test("user, password and database come from the address", async (t) => {
  const redis = await startTestRedis(t);
  await ask(redis.port, async (admin) => {
    await admin.call("ACL", "SETUSER", "ann@x", "on", ">p/w:d%", "~*", "+@all");
    await admin.call("ACL", "SETUSER", "default", "off");
  });
  const address = `redis://ann%40x:p%2Fw%3Ad%25@127.0.0.1:${redis.port}/3`;
  const client = await ready(t, standalone(address));
  t.match(await client.client("INFO"), / db=3 .* user=ann@x /);
});

t.test("a command fails at once while there is no connection, and works again once there is one", async (t) => {
  const port = await freePort();
  const errors: Error[] = [];
  const client = connect(t, standalone(`redis://127.0.0.1:${port}`), { onError: (error) => errors.push(error) });
  await until("the attempt failed", () => errors.length > 0);
  t.match(errors[0], { code: "ECONNREFUSED" });
  await t.rejects(client.get("k"));
  const redis = await startTestRedis(t, { port });
  await whenReady(client);
  t.equal(await client.get("k"), null);
  await redis.kill();
  await until("the loss was noticed", () => client.status !== "ready");
  await t.rejects(client.get("k"));
  await startTestRedis(t, { port });
  await whenReady(client);
  t.equal(await client.get("k"), null, "after a restart as well");
});

t.test("a command that was under way when the connection was cut fails, and is not sent again", async (t) => {
  const redis = await startTestRedis(t);
  const proxy = await startTcpProxy(t, redis.port);
  const client = await ready(t, standalone(`redis://127.0.0.1:${proxy.port}`));
  const command = client.blpop("list", 0);
  command.catch(() => {});
  await until("Redis has the command", () => ask(redis.port, isBlocking));
  proxy.cut();
  await t.rejects(command);
  await whenReady(client);
  t.notOk(await ask(redis.port, isBlocking));
});

t.test("a blocked read fails as soon as its connection is lost, however it is lost", async (t) => {
  const redis = await startTestRedis(t);
  const proxy = await startTcpProxy(t, redis.port);
  const { reader, read } = await blockedRead(t, standalone(`redis://127.0.0.1:${proxy.port}`));
  proxy.cut();
  await t.rejects(read, "cut");
  await whenReady(reader);
  const options = { group: "g", consumer: "c", keys: ["s"], after: ">", count: 1, blockMs: 0 };
  const second = readGroup(reader, options);
  second.catch(() => {});
  reader.disconnect(true);
  await t.rejects(second, "given up by us");
  await whenReady(reader);
  const third = readGroup(reader, options);
  third.catch(() => {});
  await redis.kill();
  await t.rejects(third, "the server's end");
});

t.test("a blocked read is held open longer than any other command may take", async (t) => {
  const redis = await startTestRedis(t);
  const client = await ready(t, standalone(redis.url));
  const { read } = await blockedRead(t, standalone(redis.url));
  await t.rejects(client.blpop("nothing", 0), /timed out/i, "another command has 5 s");
  await ask(redis.port, (producer) => producer.xadd("s", "1-0", "a", "b"));
  t.match(await read, new Map([["s", [{ id: "1-0" }]]]));
});

t.test("a connection that carries nothing any more is replaced, also one that never carried anything", async (t) => {
  const redis = await startTestRedis(t);
  const proxy = await startTcpProxy(t, redis.port);
  const target = standalone(`redis://127.0.0.1:${proxy.port}`);
  const client = await ready(t, target);
  proxy.freeze();
  await t.rejects(client.ping(), /timed out/i);
  const newcomers = [connect(t, target), connect(t, target, { blocking: true })];
  await until("all three have tried", () => proxy.taken() >= 4, 10_000);
  proxy.thaw();
  for (const each of [client, ...newcomers]) {
    await until("it answers", () => each.ping().then(Boolean, () => false), 20_000);
  }
});

t.test("waiting for a connection ends with it, or with the signal", async (t) => {
  const redis = await startTestRedis(t);
  const client = await ready(t, standalone(redis.url));
  await whenReady(client);
  const away = connect(t, standalone(`redis://127.0.0.1:${await freePort()}`));
  const listeners = away.listenerCount("ready");
  const stop = new AbortController();
  const waiting = whenReady(away, stop.signal);
  stop.abort(new Error("stopping"));
  await t.rejects(waiting, /stopping/);
  await t.rejects(whenReady(away, stop.signal), /stopping/, "also when it was given before");
  t.equal(away.listenerCount("ready"), listeners, "and leaves no listener");
});

t.test("a server that became a replica is left, to be led to its master", async (t) => {
  const redis = await startTestRedis(t);
  const client = await ready(t, standalone(redis.url));
  await ask(redis.port, (admin) => admin.call("REPLICAOF", "127.0.0.1", "1"));
  const left = once(client, "reconnecting");
  await t.rejects(client.set("k", "v"), /READONLY/);
  await left;
  await ask(redis.port, (admin) => admin.call("REPLICAOF", "NO", "ONE"));
  await whenReady(client);
  t.equal(await client.set("k", "v"), "OK");
});

t.test("delays grow to two seconds and are never the same for all", async (t) => {
  t.strictSame(
    [0, 1, 2, 5, 6, 1_000].map((attempt) => [retryDelay(attempt, () => 0), retryDelay(attempt, () => 1)]),
    [
      [25, 50],
      [50, 100],
      [100, 200],
      [800, 1_600],
      [1_000, 2_000],
      [1_000, 2_000],
    ],
  );
  fc.assert(
    fc.property(fc.nat(), (attempt) => {
      const delay = retryDelay(attempt);
      return Number.isInteger(delay) && delay >= 25 && delay <= 2_000;
    }),
  );
});

t.test("in a cluster every stream is read and written where it lives, from any one seed", async (t) => {
  const nodes = await startCluster(t);
  const target: RedisTarget = { mode: "cluster", urls: [nodes[1]!.url] };
  const client = await ready(t, target);
  t.equal(dataNodes(client).length, 3);

  const layout = { prefix: "ragline:stream:", topics: ["orders", "notifications", "system"], partitions: 16 };
  for (const tenant of ["acme", "globex", "initech", "umbrella"]) {
    const streams = tenantStreams(layout, layout.topics, tenant);
    const keys = streams.filter(({ partition }) => partition !== null).map(({ key }) => key);
    for (const key of keys) {
      await createGroup(client, key, "g", "0-0");
      await client.xadd(key, "1-0", "tenant", tenant);
    }
    const read = await readGroup(client, { group: "g", consumer: "c", keys, after: ">", count: 10 });
    t.strictSame([...read.keys()].sort(), [...keys].sort(), "all topics of a partition in one command");
    for (const key of keys) await removeGroup(client, key, "g");
  }
  const shared = sharedStream(layout, "orders").key;
  await client.xadd(shared, "1-0", "a", "b");
  t.match(await streamState(client, shared), { length: 1 });
  const counts = await Promise.all(nodes.map(({ port }) => ask(port, (admin) => admin.dbsize())));
  t.ok(counts.filter((count) => count > 0).length > 1, "more than one node holds streams");
});

t.test("in a cluster a read that a node holds open fails when the node ends", async (t) => {
  const nodes = await startCluster(t);
  const target: RedisTarget = { mode: "cluster", urls: nodes.map(({ url }) => url) };
  const client = await ready(t, target);
  const [key, port] = await keyAndOwner(client);
  await createGroup(client, key, "g", "1-0");
  const reader = await ready(t, target, { blocking: true });
  const read = readGroup(reader, { group: "g", consumer: "c", keys: [key], after: ">", count: 1, blockMs: 0 });
  read.catch(() => {});
  const owner = nodes.find((node) => node.port === port)!;
  await until("the node holds the read open", () => ask(port, isBlocking));
  await owner.kill();
  await t.rejects(read);
});

/** A stream and the port of the node it belongs to. */
async function keyAndOwner(client: RedisClient): Promise<[key: string, port: number]> {
  await client.xadd("ragline:stream:orders", "1-0", "a", "b");
  for (const node of dataNodes(client)) {
    const { port } = (node as { options: { port: number } }).options;
    if ((await ask(port, (admin) => admin.dbsize())) > 0) return ["ragline:stream:orders", port];
  }
  throw new Error("no node has it");
}

t.test("through a sentinel the master is found, and after a failover the new one", async (t) => {
  const first = await startTestRedis(t);
  const second = await startTestRedis(t, { args: ["--replicaof", "127.0.0.1", String(first.port)] });
  const sentinel = await startSentinel(t, first.port);
  const target: RedisTarget = { mode: "sentinel", urls: [sentinel.url], sentinelName: sentinel.masterName };
  const client = await ready(t, target);
  await client.set("k", "before");
  await until("the replica has it, and the sentinel knows the replica", async () => {
    const value = await ask(second.port, (admin) => admin.get("k"));
    const replicas = await ask(Number(new URL(sentinel.url).port), (admin) =>
      admin.call("SENTINEL", "REPLICAS", sentinel.masterName),
    );
    return value === "before" && (replicas as unknown[]).length === 1;
  });
  t.equal(await ask(first.port, (admin) => admin.get("k")), "before");
  await first.kill();
  await until("the replica is master", async () => (await sentinel.masterPort()) === second.port, 60_000);
  await until(
    "the client writes again",
    () =>
      client.set("k", "after").then(
        () => true,
        () => false,
      ),
    60_000,
  );
  t.equal(await ask(second.port, (admin) => admin.get("k")), "after");
});

t.test("rediss means TLS, and a certificate nobody vouches for is refused", async (t) => {
  const redis = await startTestRedis(t);
  const tls = await startTlsServer(t, redis.port);
  const errors: Error[] = [];
  const client = connect(t, standalone(`rediss://localhost:${tls.port}`), { onError: (error) => errors.push(error) });
  await until("the attempt failed", () => errors.length > 0);
  t.match(errors[0], { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  t.not(client.status, "ready");
  trustAll(t);
  await whenReady(client);
  t.equal(await client.ping(), "PONG");
});

t.test("with rediss the sentinels are spoken to with TLS, and so is the master they name", async (t) => {
  trustAll(t);
  const redis: TestRedis = await startTestRedis(t);
  const master = await startTlsServer(t, redis.port);
  const sentinel = await startSentinel(t, master.port);
  const front = await startTlsServer(t, Number(new URL(sentinel.url).port));
  const urls = [`rediss://localhost:${front.port}`];
  const client = await ready(t, { mode: "sentinel", urls, sentinelName: sentinel.masterName });
  t.equal(await client.ping(), "PONG");
  t.ok(front.secured() > 0);
  t.ok(master.secured() > 0);
});

/** Node reads this at every connection. */
function trustAll(t: Test): void {
  const name = "NODE_TLS_REJECT_UNAUTHORIZED";
  process.env[name] = "0";
  t.teardown(() => {
    delete process.env[name];
  });
}
