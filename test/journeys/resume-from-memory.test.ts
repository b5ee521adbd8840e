import t, { type Test } from "tap";
import { callsOf } from "../support/command-stats.ts";
import { type Endpoint, type Follower, follow, type Item } from "../support/follow.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { addEvent, PLACES, type Topic } from "../support/xadd.ts";

const { server, redis, gateway } = await startJourney(t, { RAGLINE_CONNECT_RATE: "100000" });

const TOPICS: readonly Topic[] = ["orders", "notifications", "system"];
const CROWD = 300;
const WAYS: readonly (readonly [Endpoint, readonly string[]])[] = [
  ["/stream", []],
  ["/ws", []],
  ["/ws", ["ragline.msgpack.v1"]],
];

/** Numbered events, in every stream that holds events of a tenant. */
async function add(tenant: string, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    await addEvent(redis, { topic: TOPICS[n % 3]!, tenant_id: tenant, payload: { n } }, PLACES[n % 4]);
  }
}

const numberOf = ({ data }: Item) => (data as { n: number }).n;
const sorted = (items: readonly Item[]) => items.map(numberOf).sort((a, b) => a - b);
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Connections to both workers that take every format, so that both hold the tenant's events in memory. */
function attend(t: Test, at: Gateway, token: string): Promise<Follower[]> {
  return onBothWorkers((index) => {
    const [endpoint, protocols] = WAYS[index % 3]!;
    return follow(t, at, endpoint, { token, protocols });
  });
}

function comeBack(t: Test, at: Gateway, token: string, lastEventId: string, crowd = CROWD): Promise<Follower[]> {
  const visit = async (_: unknown, index: number) => {
    const [endpoint, protocols] = WAYS[index % 3]!;
    return follow(t, at, endpoint, { token, lastEventId, protocols });
  };
  return Promise.all(Array.from({ length: crowd }, visit));
}

t.test("a crowd that comes back is answered from memory: Redis is not asked for a single event", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const witnesses = await attend(t, gateway, token);
  await add(tenant, 0, 120);
  const [ofFirst] = await Promise.all(witnesses.map((witness) => witness.take(120)));
  const before = await callsOf(redis, "xrange");
  const crowd = await comeBack(t, gateway, token, ofFirst![19]!.id!);
  const expected = numbers(0, 120).filter((n) => !ofFirst!.slice(0, 20).map(numberOf).includes(n));
  for (const follower of crowd) {
    const items = await follower.take(100);
    if (JSON.stringify(sorted(items)) !== JSON.stringify(expected)) t.same(sorted(items), expected, follower.endpoint);
  }
  t.equal(await callsOf(redis, "xrange"), before);
  for (const { cut } of [...witnesses, ...crowd]) cut();
});

t.test("a crowd that comes back after a restart shares what has to be read", async (t) => {
  const tenant = newTenant();
  const old = await startGateway(t, { redis: server });
  const token = old.token({ tenant });
  const first = await follow(t, old, "/stream", { token });
  await add(tenant, 0, 20);
  await first.take(20);
  await old.stop();
  await add(tenant, 20, 420);
  const anew = await startGateway(t, { redis: server, secret: old.secret, env: { RAGLINE_CONNECT_RATE: "100000" } });
  const before = await callsOf(redis, "xrange");
  const crowd = await comeBack(t, anew, token, first.position());
  for (const follower of crowd) t.same(sorted(await follower.take(400)), numbers(20, 420), follower.endpoint);
  const reads = (await callsOf(redis, "xrange")) - before;
  t.ok(reads <= 80, `${reads} reads of 6 streams for ${CROWD} clients on 2 workers`);
});

t.test("from memory and from Redis comes the same, with ids that are good on either side", async (t) => {
  const tenant = newTenant();
  const forgetful = await startGateway(t, {
    redis: server,
    secret: gateway.secret,
    env: { RAGLINE_HISTORY_BYTES: "0" },
  });
  const token = gateway.token({ tenant });
  await attend(t, gateway, token);
  const [first] = await attend(t, forgetful, token);
  const lastEventId = first!.position();
  await add(tenant, 0, 60);
  await first!.take(60);
  for (const [endpoint, protocols] of WAYS) {
    const options = { token, lastEventId, protocols };
    const [remembered, read] = [
      await (await follow(t, gateway, endpoint, options)).take(60),
      await (await follow(t, forgetful, endpoint, options)).take(60),
    ];
    for (const stream of numbers(0, 12)) {
      const ofStream = (items: readonly Item[]) =>
        items.filter((item) => numberOf(item) % 12 === stream).map(({ kind, type, data }) => ({ kind, type, data }));
      t.same(ofStream(remembered), ofStream(read), `${endpoint} ${protocols.join()}`);
    }
    for (const [at, items] of [
      [gateway, read],
      [forgetful, remembered],
    ] as const) {
      const seen = items.slice(0, 25).map(numberOf);
      const rest = await (await follow(t, at, endpoint, { ...options, lastEventId: items[24]!.id! })).take(35);
      t.same(
        sorted(rest),
        numbers(0, 60).filter((n) => !seen.includes(n)),
        `the other's id, ${endpoint}`,
      );
    }
  }
});

t.test("what is still in memory needs no gap, though Redis has trimmed it", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const [first, ...others] = await attend(t, gateway, token);
  const lastEventId = first!.position();
  for (const n of numbers(0, 10)) await addEvent(redis, { tenant_id: tenant, payload: { n } });
  for (const follower of [first!, ...others]) await follower.take(10);
  await redis.xtrim("ragline:stream:orders", "MAXLEN", 0);
  const again = await onBothWorkers((index) => {
    const [endpoint, protocols] = WAYS[index % 3]!;
    return follow(t, gateway, endpoint, { token, lastEventId, protocols });
  });
  for (const follower of again) t.same((await follower.take(10)).map(numberOf), numbers(0, 10), follower.endpoint);
});
