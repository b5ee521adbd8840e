import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { BatchSection } from "../../../src/protocol/batch.ts";
import type { Peer } from "../../../src/protocol/control.ts";
import type { InterestEntry, StreamPositionEntry } from "../../../src/protocol/relay.ts";
import { Relay } from "../../../src/worker/fanout/relay.ts";
import { until } from "../../support/until.ts";
import { SHARED_ORDERS, sectionOf } from "./listener.ts";

/** A worker as far as its relay goes: what it says of itself, and what it heard. */
class Party {
  readonly peer: Peer;
  readonly relay: Relay;
  readonly interest = new Map<string, boolean>();
  positions: StreamPositionEntry[] = [];
  settled: Promise<void> = Promise.resolve();
  readonly batches: BatchSection[] = [];
  readonly heard: StreamPositionEntry[] = [];

  constructor(peer: Peer) {
    this.peer = peer;
    this.relay = new Relay({
      ...peer,
      ownInterest: () => [...this.interest],
      ownPositions: () => this.positions,
      settled: () => this.settled,
      onBatch: (sections) => this.batches.push(...sections),
      onPositions: (positions) => this.heard.push(...positions),
    });
  }

  /** As Interest does: the siblings are told, then asked whether they have heard. */
  want(...entries: InterestEntry[]): Promise<void> {
    for (const [tenant, msgpack] of entries) this.interest.set(tenant, msgpack);
    this.relay.declareInterest(entries, []);
    return this.relay.barrier();
  }

  get received(): string[] {
    return this.batches.flatMap(({ records }) => records.map(({ id }) => id));
  }
}

async function openHouse(t: Test): Promise<(worker: number) => Party> {
  const directory = await mkdtemp(join(tmpdir(), "ragline-relay-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return (worker) => {
    const party = new Party({ worker, socketPath: join(directory, `${worker}.sock`) });
    t.teardown(() => party.relay.close());
    return party;
  };
}

/** Workers 1, 2, …, each told of all the others. */
async function openParties<N extends number>(
  t: Test,
  count: N,
): Promise<N extends 2 ? [Party, Party] : [Party, Party, Party]> {
  const open = await openHouse(t);
  const parties = Array.from({ length: count }, (_, i) => open(i + 1));
  for (const { relay } of parties) introduce(relay, parties);
  return parties as N extends 2 ? [Party, Party] : [Party, Party, Party];
}

function introduce(relay: Relay, parties: readonly Party[]): void {
  relay.setSiblings(parties.filter((party) => party.relay !== relay).map(({ peer }) => peer));
}

const ACME = sectionOf("orders", [{ id: "1-0", tenant: "acme" }]);
const MIXED = sectionOf("orders", [
  { id: "1-0", tenant: "acme" },
  { id: "2-0", tenant: "globex" },
  { id: "3-0", tenant: "acme" },
]);

t.test("once a barrier is passed, every sibling relays what was declared before it", async (t) => {
  const [a, b, c] = await openParties(t, 3);
  t.notOk(b.relay.wants("acme"));
  await a.want(["acme", false], ["globex", true]);
  for (const { relay } of [b, c]) t.ok(relay.wants("acme") && relay.wants("globex") && relay.wantsMsgpack());
  t.notOk(b.relay.wants("initech"));
  await b.relay.relay([ACME]);
  await until("the batch", () => a.batches.length === 1);
  t.strictSame(c.received, [], "who did not ask gets nothing");
});

t.test("a batch arrives as it was sent, and only the share that is of interest", async (t) => {
  const [a, b, c] = await openParties(t, 3);
  await Promise.all([a.want(["acme", false]), c.want(["globex", false], ["acme", false])]);
  await b.relay.relay([MIXED, sectionOf("system", [{ id: "9-0", tenant: "initech" }])]);
  await until("both batches", () => a.received.length === 2 && c.received.length === 3);
  t.equal(a.batches.length, 1, "a stream that holds nothing of interest is left out");
  const [section] = a.batches;
  t.equal(section!.streamKey, SHARED_ORDERS);
  t.equal(section!.lastId, "3-0");
  t.strictSame(section!.records.map(plain), [MIXED.records[0]!, MIXED.records[2]!].map(plain));
  t.strictSame(c.received, ["1-0", "2-0", "3-0"]);
});

t.test(
  "a barrier is passed only after what was read before it has been relayed, and tells where the streams stand",
  async (t) => {
    const [a, b] = await openParties(t, 2);
    let settle = () => {};
    b.settled = new Promise((resolve) => {
      settle = resolve;
    });
    const events: string[] = [];
    const passed = a.want(["acme", false]).then(() => events.push("passed"));
    await until("the interest", () => b.relay.wants("acme"));
    b.positions = [[SHARED_ORDERS, "1-0"]];
    await b.relay.relay([ACME]);
    await until("the batch", () => a.batches.length === 1);
    t.strictSame(events, []);
    settle();
    await passed;
    t.strictSame(a.heard.at(-1), [SHARED_ORDERS, "1-0"]);
  },
);

t.test("barriers that overlap are passed each by its own answers", async (t) => {
  const [a, b, c] = await openParties(t, 3);
  let settle = () => {};
  c.settled = new Promise((resolve) => {
    settle = resolve;
  });
  const slow = a.want(["acme", false]);
  await until("the interest", () => c.relay.wants("acme"));
  c.settled = Promise.resolve();
  await a.want(["globex", false]);
  t.equal(await Promise.race([slow.then(() => "passed"), "waiting"]), "waiting");
  settle();
  await slow;
  t.ok(b.relay.wants("acme"));
});

t.test("interest that is withdrawn ends, for MessagePack too", async (t) => {
  const [a, b] = await openParties(t, 2);
  await a.want(["acme", true], ["globex", false]);
  a.relay.declareInterest([], ["acme"]);
  await a.relay.barrier();
  t.notOk(b.relay.wants("acme"));
  t.notOk(b.relay.wantsMsgpack());
  t.ok(b.relay.wants("globex"));
});

t.test("progress reaches every sibling, in order behind the batches", async (t) => {
  const [a, b] = await openParties(t, 2);
  await a.want(["acme", false]);
  void b.relay.relay([MIXED]);
  b.relay.announceProgress([[SHARED_ORDERS, "3-0"]]);
  await until("the progress", () => a.heard.some(([, id]) => id === "3-0"));
  t.strictSame(a.received, ["1-0", "3-0"]);
});

t.test("a large batch crosses whole, and its sender waits until the kernel has it", async (t) => {
  const [a, b] = await openParties(t, 2);
  await a.want(["acme", false]);
  const payload = { text: "x".repeat(100_000) };
  const events = Array.from({ length: 100 }, (_, i) => ({ id: `${i + 1}-0`, tenant: "acme", payload }));
  await b.relay.relay([sectionOf("orders", events)]);
  await until("all of it", () => a.received.length === 100);
  t.equal(a.batches[0]!.records[99]!.payloadLength, 100_011);
});

t.test("a sibling that comes later is told everything, and owes its answer to barriers from before", async (t) => {
  const open = await openHouse(t);
  const a = open(1);
  a.positions = [[SHARED_ORDERS, "5-0"]];
  const later: Peer = { worker: 2, socketPath: a.peer.socketPath.replace("1.sock", "2.sock") };
  a.relay.setSiblings([later]);
  const passed = a.want(["acme", true]);
  t.equal(await Promise.race([passed.then(() => "passed"), turns(5)]), "waiting");
  const b = open(2);
  await passed;
  t.ok(b.relay.wants("acme"), "it learned of its sibling by being greeted");
  t.ok(b.relay.wantsMsgpack());
  await until("the position", () => b.heard.some(([, id]) => id === "5-0"));
});

t.test("a sibling that starts anew is told everything again, and its old interest is forgotten", async (t) => {
  const open = await openHouse(t);
  const [a, before] = [open(1), open(2)];
  for (const { relay } of [a, before]) introduce(relay, [a, before]);
  await Promise.all([a.want(["acme", false]), before.want(["globex", true])]);
  before.relay.close();
  const after = open(2);
  introduce(after.relay, [a, after]);
  await after.want(["initech", false]);
  t.ok(a.relay.wants("initech"));
  t.notOk(a.relay.wants("globex"));
  t.notOk(a.relay.wantsMsgpack());
  await until("the interest again", () => after.relay.wants("acme"));
  await after.relay.relay([ACME]);
  await until("the batch", () => a.batches.length === 1);
});

t.test("a sibling that is gone holds up neither batches nor those who send them", async (t) => {
  const [a, b, c] = await openParties(t, 3);
  await Promise.all([a.want(["acme", false]), c.want(["acme", false])]);
  a.relay.close();
  await until("the batch, and an end of waiting for who is gone", async () => {
    await b.relay.relay([ACME]);
    return c.batches.length > 0;
  });
  for (let i = 0; i < 3; i++) await b.relay.relay([ACME]);
  await until("all batches", () => c.batches.length >= 4);
  t.strictSame(a.received, []);
});

t.test("a barrier does not wait for a sibling that was removed", async (t) => {
  const [a, b, c] = await openParties(t, 3);
  await a.relay.barrier();
  c.settled = new Promise(() => {});
  const passed = a.want(["acme", false]);
  await until("the interest", () => b.relay.wants("acme") && c.relay.wants("acme"));
  a.relay.setSiblings([b.peer]);
  await passed;
  t.pass("passed");
});

t.test("all siblings are met once each has told its interest, or is taken to be down", async (t) => {
  const open = await openHouse(t);
  const [a, b] = [open(1), open(2)];
  const absent: Peer = { worker: 3, socketPath: a.peer.socketPath.replace("1.sock", "3.sock") };
  b.interest.set("acme", false);
  a.relay.setSiblings([b.peer, absent]);
  let met = false;
  const meeting = a.relay.allMet(60_000).then(() => {
    met = true;
  });
  await until("the first to be met", () => a.relay.wants("acme"));
  t.notOk(met);
  const c = open(3);
  c.interest.set("globex", false);
  await meeting;
  t.ok(a.relay.wants("globex"));
  c.relay.close();
  b.relay.setSiblings([a.peer, { worker: 4, socketPath: `${absent.socketPath}.nobody` }]);
  await b.relay.allMet(1);
});

t.test("a worker alone passes every barrier at once", async (t) => {
  const open = await openHouse(t);
  const { relay } = open(1);
  await relay.allMet(60_000);
  await relay.barrier();
  await relay.relay([ACME]);
  t.notOk(relay.wants("acme"));
});

function plain({ jsonTail, msgpackTail, ...rest }: BatchSection["records"][number]): unknown {
  return { ...rest, jsonTail: [...jsonTail], msgpackTail: [...msgpackTail] };
}

/** Some turns of the event loop. */
async function turns(count: number): Promise<"waiting"> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
  return "waiting";
}
