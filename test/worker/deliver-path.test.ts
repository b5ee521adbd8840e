import t, { type Test } from "tap";
import { openLog } from "../../src/observe/log.ts";
import { openWorkerMetrics } from "../../src/observe/metrics.ts";
import { type EncodeOptions, encodeEvents } from "../../src/pool/encode-events.ts";
import type { ToPrimary } from "../../src/protocol/control.ts";
import { compareEntryIds } from "../../src/protocol/entry-id.ts";
import type { RawSection } from "../../src/protocol/event.ts";
import type { StreamPositionEntry } from "../../src/protocol/relay.ts";
import { connectRedis, type RedisClient, type RedisTarget, whenReady } from "../../src/redis/connect.ts";
import { CONSUMER } from "../../src/redis/keys.ts";
import { DeliverPath } from "../../src/worker/deliver-path.ts";
import { Positions } from "../../src/worker/fanout/positions.ts";
import { startTestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { LAYOUT, SHARED_ORDERS } from "./fanout/listener.ts";
import { openHouse, type Party } from "./fanout/relay-party.ts";

const GROUP = "ragline-gateway:test:1";
const UNIT = "shared:orders";

/** One worker's path, a sibling as far as its relay goes, and the Redis they share. */
interface Scene {
  readonly client: RedisClient;
  readonly path: DeliverPath;
  readonly positions: Positions;
  readonly delivered: string[];
  readonly told: ToPrimary[];
  readonly sibling: Party;
  /** While set, nothing that is read is encoded. */
  gate: Promise<void>;
  /** Reads that have come to where they are encoded. */
  encoding: number;
}

async function openScene(t: Test): Promise<Scene> {
  const { url } = await startTestRedis(t);
  const redis: RedisTarget = { mode: "standalone", urls: [url] };
  const client = connectRedis(redis, { name: "test", onError: () => {} });
  t.teardown(() => client.disconnect());
  const house = await openHouse(t);
  const sibling = await house.open(1);
  const positions = new Positions(LAYOUT);
  const [delivered, told]: [string[], ToPrimary[]] = [[], []];
  const path = new DeliverPath({
    assignment: { ...house.peer(2), worker: 2, group: GROUP, layout: LAYOUT },
    redis,
    commands: client,
    pool: {
      encode: async (raw: readonly RawSection[], options: EncodeOptions) => {
        scene.encoding++;
        await scene.gate;
        return encodeEvents(raw, options);
      },
      verifyTokens: async () => [],
      close: async () => {},
    },
    positions,
    broadcast: (sections) => {
      for (const { streamKey, records, lastId } of sections) {
        delivered.push(...records.filter(({ id }) => positions.advance(streamKey, id)).map(({ id }) => id));
        positions.advance(streamKey, lastId);
      }
    },
    onUninterested: () => {},
    compare: () => null,
    onMissed: () => {},
    onReset: () => {},
    tellPrimary: (message) => told.push(message),
    metrics: openWorkerMetrics(),
    log: openLog("silent", {}),
    now: () => Date.now(),
  });
  const scene: Scene = { client, path, positions, delivered, told, sibling, gate: Promise.resolve(), encoding: 0 };
  t.teardown(async () => {
    await path.stopReading();
    path.close();
  });
  await Promise.all([path.listen(), whenReady(client)]);
  path.meet([sibling.peer]);
  sibling.relay.meet([house.peer(2)]);
  await Promise.all([path.allMet(), sibling.relay.allMet()]);
  return scene;
}

function add(client: RedisClient, id: string): Promise<unknown> {
  return client.xadd(SHARED_ORDERS, id, "event_type", "order_created", "tenant_id", "acme", "payload", "{}");
}

function said<K extends ToPrimary["kind"]>({ told }: Scene, kind: K): Extract<ToPrimary, { kind: K }>[] {
  return told.filter((message): message is Extract<ToPrimary, { kind: K }> => message.kind === kind);
}

t.test("what is taken over is read, broadcast here and relayed to those who want it", async (t) => {
  const scene = await openScene(t);
  const { client, path, positions, sibling } = scene;
  await Promise.all([path.interest.acquire("acme", false), sibling.want(["acme", false])]);
  t.notOk(positions.isKnown([SHARED_ORDERS]));
  await path.takeOver([UNIT]);
  await until("the first read", () => said(scene, "reading").length > 0);
  t.ok(positions.isKnown([SHARED_ORDERS]));
  await add(client, "1-0");
  await until("the entry on both", () => scene.delivered.length === 1 && sibling.received.length === 1);
  t.strictSame([scene.delivered, sibling.received], [["1-0"], ["1-0"]]);
});

t.test(
  "a release finishes what was read, then says its last word to all siblings, then tells the primary",
  async (t) => {
    const scene = await openScene(t);
    const { client, path, positions, sibling } = scene;
    await sibling.want(["acme", false]);
    await path.takeOver([UNIT]);
    await until("the first read", () => said(scene, "reading").length > 0);
    let open = () => {};
    scene.gate = new Promise((resolve) => {
      open = resolve;
    });
    await add(client, "1-0");
    await until("the entry to be encoded", () => scene.encoding === 1);
    const released = path.release([UNIT], 8);
    t.strictSame(said(scene, "released"), []);
    open();
    await released;
    t.strictSame(said(scene, "released"), [{ kind: "released", move: 8, told: [1] }]);
    t.notOk(positions.isKnown([SHARED_ORDERS]), "nobody reads it now");
    await until("the last word", () => sibling.handovers.length === 1);
    t.strictSame(sibling.handovers, [[8, [[SHARED_ORDERS, "1-0"]]]]);
    t.ok(sibling.log.indexOf("1-0") < sibling.log.indexOf("move 8"));
    path.announceProgress();
    await sibling.relay.barrier();
    t.equal(sibling.log.at(-1), "move 8", "of what it gave away it says no more");
  },
);

t.test("a sibling's last word is confirmed, and its streams have no owner until the next one speaks", async (t) => {
  const scene = await openScene(t);
  const { positions, sibling } = scene;
  sibling.relay.announceProgress([[SHARED_ORDERS, "4-0"]]);
  await until("its position", () => positions.isKnown([SHARED_ORDERS]));
  sibling.relay.handOver(5, [[SHARED_ORDERS, "6-0"]]);
  await until("the confirmation", () => scene.told.length > 0);
  t.strictSame(scene.told, [{ kind: "handed-over", move: 5 }]);
  t.equal(positions.get(SHARED_ORDERS)!.id, "6-0");
  t.notOk(positions.isKnown([SHARED_ORDERS]));
});

t.test(
  "a death is confirmed once everything the dead one sent is delivered, and its streams have no owner",
  async (t) => {
    const scene = await openScene(t);
    const { path, positions, sibling } = scene;
    sibling.relay.announceProgress([[SHARED_ORDERS, "4-0"]]);
    sibling.relay.close();
    await path.gone(1, [UNIT], 3);
    t.strictSame(said(scene, "handed-over"), [{ kind: "handed-over", move: 3 }]);
    t.equal(positions.get(SHARED_ORDERS)!.id, "4-0");
    t.notOk(positions.isKnown([SHARED_ORDERS]));
    await path.interest.acquire("acme", false);
    t.pass("nobody waits for it");
  },
);

/** An owner read two entries and relayed them to us; it died before the sibling got them and before it acknowledged. */
async function afterDeath({ client, path, positions, sibling }: Scene): Promise<void> {
  await Promise.all([path.interest.acquire("acme", false), sibling.want(["acme", false])]);
  await client.xgroup("CREATE", SHARED_ORDERS, GROUP, "0-0", "MKSTREAM");
  for (const id of ["1-0", "2-0"]) await add(client, id);
  await client.xreadgroup("GROUP", GROUP, CONSUMER, "STREAMS", SHARED_ORDERS, ">");
  positions.ownerAt(SHARED_ORDERS, "2-0");
  positions.disown([SHARED_ORDERS]);
}

/** What a sibling was told before it had the entries: it would pass over them when they come. */
function toldTooEarly(positions: Iterable<StreamPositionEntry>): StreamPositionEntry[] {
  return [...positions].filter(([, id]) => compareEntryIds(id, "1-0") >= 0);
}

t.test("what a dead owner had sent to us and not to others is not called delivered before they have it", async (t) => {
  const scene = await openScene(t);
  const { path, sibling } = scene;
  await afterDeath(scene);
  let open = () => {};
  scene.gate = new Promise((resolve) => {
    open = resolve;
  });
  await path.takeOver([UNIT]);
  await until("what is pending to be read", () => scene.encoding === 1);
  path.announceProgress();
  void path.interest.acquire("globex", false);
  await until("what was said after it", () => sibling.relay.wants("globex"));
  t.strictSame(toldTooEarly(sibling.heard), []);
  open();
  await until("both entries", () => sibling.received.length === 2);
  t.strictSame(scene.delivered, [], "which were delivered here before");
  await until("its place", () => {
    path.announceProgress();
    return sibling.heard.at(-1)?.[1] === "2-0";
  });
});

t.test("nor is it when the streams are given away before it was delivered", async (t) => {
  const scene = await openScene(t);
  const { path, sibling } = scene;
  await afterDeath(scene);
  scene.gate = Promise.reject(new Error("not now"));
  scene.gate.catch(() => {});
  await path.takeOver([UNIT]);
  await until("what is pending to be read", () => scene.encoding > 0);
  await path.release([UNIT], 4);
  await until("the last word", () => sibling.handovers.length === 1);
  t.strictSame(toldTooEarly([...sibling.heard, ...sibling.handovers[0]![1]]), []);
});
