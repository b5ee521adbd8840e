import t from "tap";
import type { BatchSection } from "../../../src/protocol/batch.ts";
import { turns } from "../../support/turns.ts";
import { until } from "../../support/until.ts";
import { SHARED_ORDERS, sectionOf } from "./listener.ts";
import { ACME, openHouse, openParties, Party } from "./relay-party.ts";

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
  const { open, peer } = await openHouse(t);
  const a = await open(1);
  a.positions = [[SHARED_ORDERS, "5-0"]];
  a.relay.meet([peer(2)]);
  const passed = a.want(["acme", true]);
  t.equal(await Promise.race([passed.then(() => "passed"), turns(5)]), "waiting");
  const b = await open(2);
  await passed;
  t.ok(b.relay.wants("acme"), "it learned of its sibling by being greeted");
  t.ok(b.relay.wantsMsgpack());
  await until("the position", () => b.heard.some(([, id]) => id === "5-0"));
});

t.test("the last word on a stream comes behind everything else that is said of it", async (t) => {
  const [a, b, c] = await openParties(t, 3);
  await a.want(["acme", false]);
  const payload = { text: "x".repeat(100_000) };
  const ids = Array.from({ length: 50 }, (_, i) => `${i + 1}-0`);
  for (const id of ids) void b.relay.relay([sectionOf("orders", [{ id, tenant: "acme", payload }])]);
  b.relay.announceProgress([[SHARED_ORDERS, "49-0"]]);
  const told = b.relay.handOver(7, [[SHARED_ORDERS, "50-0"]]);
  t.strictSame(told.sort(), [1, 3]);
  b.relay.announceProgress([["s:system", "9-0"]]);
  await until("what comes after it", () => [a, c].every(({ log }) => log.at(-1) === "at 9-0"));
  t.strictSame(a.log.slice(-53), [...ids, "at 49-0", "move 7", "at 9-0"]);
  t.strictSame(c.log.slice(-3), ["at 49-0", "move 7", "at 9-0"], "also to those that wanted none of it");
  t.strictSame(a.handovers, [[7, [[SHARED_ORDERS, "50-0"]]]]);
});

t.test("a last word without a position is a last word, and a worker alone tells nobody", async (t) => {
  const [a, b] = await openParties(t, 2);
  t.strictSame(b.relay.handOver(3, []), [1]);
  await until("the last word", () => a.handovers.length === 1);
  t.strictSame(a.handovers, [[3, []]]);
  const { open } = await openHouse(t);
  const { relay } = await open(1);
  t.strictSame(relay.handOver(4, [[SHARED_ORDERS, "1-0"]]), []);
});

t.test("a worker alone passes every barrier at once", async (t) => {
  const { open } = await openHouse(t);
  const { relay } = await open(1);
  await relay.allMet();
  await relay.barrier();
  await relay.relay([ACME]);
  t.notOk(relay.wants("acme"));
});

t.test("a socket that cannot be made is an error", async (t) => {
  const { open } = await openHouse(t);
  const { peer } = await open(1);
  const second = new Party(peer);
  t.teardown(() => second.relay.close());
  await t.rejects(second.relay.listen(), { code: "EADDRINUSE" });
});

function plain({ jsonTail, msgpackTail, ...rest }: BatchSection["records"][number]): unknown {
  return { ...rest, jsonTail: [...jsonTail], msgpackTail: [...msgpackTail] };
}
