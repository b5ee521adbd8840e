import { connect, createServer, type Socket } from "node:net";
import t from "tap";
import { encodeBatch } from "../../../src/protocol/batch.ts";
import { frameBatch, frameMessage } from "../../../src/protocol/relay.ts";
import { turns } from "../../support/turns.ts";
import { until } from "../../support/until.ts";
import { SHARED_ORDERS, sectionOf } from "./listener.ts";
import { ACME, openHouse, openParties, say } from "./relay-party.ts";

t.test("being told of a sibling again, by others or by itself, changes nothing", async (t) => {
  const [a, b] = await openParties(t, 2);
  await a.want(["acme", false]);
  for (let i = 0; i < 3; i++) {
    a.relay.meet([b.peer]);
    b.relay.meet([a.peer]);
  }
  await Promise.all([a.relay.allMet(), b.relay.allMet(), a.relay.barrier(), b.relay.barrier()]);
  await b.relay.relay([ACME]);
  b.relay.announceProgress([[SHARED_ORDERS, "1-0"]]);
  await until("the batch", () => a.log.includes("at 1-0"));
  t.strictSame(a.received, ["1-0"]);
});

t.test("a worker has met its siblings once each reads what it sends and has told what it wants", async (t) => {
  const { open, peer } = await openHouse(t);
  const [a, b] = await Promise.all([open(1), open(2)]);
  b.interest.set("acme", false);
  a.relay.meet([b.peer, peer(3)]);
  let hasMet = false;
  const meeting = a.relay.allMet().then(() => {
    hasMet = true;
  });
  await until("the first to be met", () => a.relay.wants("acme"));
  await a.relay.meet([peer(4)]);
  const c = await open(3);
  c.interest.set("globex", false);
  await until("the second", () => a.relay.wants("globex"));
  await turns(5);
  t.notOk(hasMet, "one that it was told of while it waited is waited for as well");
  const d = await open(4);
  d.interest.set("initech", true);
  await meeting;
  t.ok(a.relay.wants("initech") && a.relay.wantsMsgpack());
});

t.test("a sibling that dies before it was met is not waited for", async (t) => {
  const { open, peer } = await openHouse(t);
  const a = await open(1);
  a.relay.meet([peer(2), peer(3)]);
  const meeting = a.relay.allMet().then(() => "met");
  const passed = a.relay.barrier().then(() => "passed");
  for (const dead of [2, 3]) {
    t.equal(await Promise.race([meeting, passed, turns(5)]), "waiting");
    await a.relay.gone(dead);
    a.relay.forget(dead);
  }
  t.strictSame(await Promise.all([meeting, passed]), ["met", "passed"]);
});

t.test("a sibling's end is waited for until everything it sent has been delivered", async (t) => {
  const [a, b] = await openParties(t, 2);
  await a.want(["acme", false]);
  const payload = { text: "x".repeat(10_000) };
  const ids = Array.from({ length: 4 }, (_, i) => `${i + 1}-0`);
  // The kernel takes all of it at once, and we read nothing in this turn.
  for (const id of ids) void b.relay.relay([sectionOf("orders", [{ id, tenant: "acme", payload }])]);
  b.relay.handOver(1, [[SHARED_ORDERS, "4-0"]]);
  b.relay.close();
  t.strictSame(a.received, []);
  await a.relay.gone(2);
  t.strictSame(a.log.slice(-5), [...ids, "move 1"]);
});

t.test("a sibling that is killed in the middle of a frame has what was whole of it delivered", async (t) => {
  const [a, b] = await openParties(t, 2);
  await a.want(["acme", false]);
  const payload = { text: "x".repeat(400_000) };
  const ids = Array.from({ length: 40 }, (_, i) => `${i + 1}-0`);
  for (const id of ids) void b.relay.relay([sectionOf("orders", [{ id, tenant: "acme", payload }])]);
  await until("some of it", () => a.received.length > 0);
  b.relay.close();
  await a.relay.gone(2);
  const { length } = a.received;
  t.ok(length < ids.length, "the kernel did not have all of it");
  t.strictSame(a.received, ids.slice(0, length));
  await turns(20);
  t.equal(a.received.length, length, "and nothing comes afterwards");
});

t.test("the end of one that never spoke, or has been over for long, is not waited for", async (t) => {
  const { open, peer } = await openHouse(t);
  const [a, b] = await Promise.all([open(1), open(2)]);
  a.relay.meet([peer(3)]);
  for (const dead of [3, 4]) {
    await a.relay.gone(dead);
    a.relay.forget(dead);
  }
  a.relay.meet([b.peer]);
  b.relay.meet([a.peer]);
  await Promise.all([a.relay.allMet(), b.relay.allMet()]);
  b.relay.close();
  await a.relay.gone(2);
  await a.relay.gone(2);
  t.pass("not waited for");
});

t.test("who is gone is owed nothing: no batch, no barrier, no interest of it is kept", async (t) => {
  const [a, b, c] = await openParties(t, 3);
  await Promise.all([a.want(["acme", true]), c.want(["acme", false])]);
  c.settled = new Promise(() => {});
  const passed = b.want(["globex", false]).then(() => "passed");
  await until("the interest", () => a.relay.wants("globex") && c.relay.wants("globex"));
  c.relay.close();
  await b.relay.relay([ACME]);
  await until("the batch", () => a.received.length === 1);
  await b.relay.gone(3);
  t.equal(await Promise.race([passed, turns(5)]), "waiting", "before that is over its answer counts as missing");
  b.relay.forget(3);
  await passed;
  a.relay.close();
  await b.relay.gone(1);
  t.ok(b.relay.wants("acme"), "until it is forgotten");
  b.relay.forget(1);
  t.notOk(b.relay.wants("acme"));
  t.notOk(b.relay.wantsMsgpack());
  await b.relay.relay([ACME]);
  await b.relay.barrier();
  t.strictSame(b.relay.handOver(1, []), []);
});

t.test("one that is gone does not come back by being named, nor by a greeting that was on its way", async (t) => {
  const { open, peer } = await openHouse(t);
  const a = await open(1);
  a.relay.meet([peer(2)]);
  await a.relay.gone(2);
  a.relay.forget(2);
  a.relay.meet([peer(2)]);
  await say(a, [
    frameMessage({ kind: "hello", ...peer(2) }),
    frameMessage({ kind: "interest", add: [["acme", false]], remove: [] }),
  ]);
  t.notOk(a.relay.wants("acme"));
  await Promise.all([a.relay.allMet(), a.relay.barrier()]);
  t.strictSame(a.relay.handOver(1, []), []);
});

t.test("nothing counts that one who is gone sent behind a greeting that came too late", async (t) => {
  const { open, peer } = await openHouse(t);
  const a = await open(1);
  await a.relay.gone(2);
  a.relay.forget(2);
  await say(a, [
    frameMessage({ kind: "hello", ...peer(2) }),
    frameMessage({ kind: "progress", positions: [[SHARED_ORDERS, "1-0"]] }),
    frameBatch(encodeBatch([ACME])),
    frameMessage({ kind: "handover", move: 5, positions: [[SHARED_ORDERS, "1-0"]] }),
  ]);
  t.strictSame(a.log, [], "its streams may have another owner by now");
});

t.test("a sibling whose link breaks is reported after a while, unless it is known to be gone", async (t) => {
  const [a, b, c] = await openParties(t, 3);
  c.relay.close();
  // The link breaks before the primary says why, as it does when a process dies.
  await turns(50);
  await a.relay.gone(3);
  b.relay.close();
  await until("the report", () => a.lost.length > 0);
  t.strictSame(a.lost, [2]);
  t.notOk([...b.lost, ...c.lost].includes(1), "who closes its links itself has lost nobody");
  const passed = a.relay.barrier().then(() => "passed");
  t.equal(await Promise.race([passed, turns(5)]), "waiting", "nobody but the primary says who is dead");
  for (const dead of [2, 3]) a.relay.forget(dead);
  await passed;
});

t.test("a sibling that died holds up no batch of the others", async (t) => {
  const [a, b, c] = await openParties(t, 3);
  await Promise.all([a.want(["acme", false]), c.want(["acme", false])]);
  a.relay.close();
  for (let i = 0; i < 4; i++) await b.relay.relay([ACME]);
  await until("all batches", () => c.batches.length === 4);
  t.strictSame(a.received, []);
});

t.test("a sibling that hangs holds up who sends to it, until it is known to be gone", async (t) => {
  const { open, peer } = await openHouse(t);
  const a = await open(1);
  const deaf = createServer({ pauseOnConnect: true }).listen(peer(2).socketPath);
  const ways: Socket[] = [];
  deaf.on("connection", (socket) => ways.push(socket));
  const voice = connect(a.peer.socketPath);
  t.teardown(() => {
    for (const socket of [voice, ...ways]) socket.destroy();
    deaf.close();
  });
  voice.write(frameMessage({ kind: "hello", ...peer(2) }));
  voice.write(frameMessage({ kind: "interest", add: [["acme", false]], remove: [] }));
  await until("its interest", () => a.relay.wants("acme") && ways.length === 1);
  const payload = { text: "x".repeat(1_000_000) };
  const relayed = a.relay.relay([sectionOf("orders", [{ id: "1-0", tenant: "acme", payload }])]).then(() => "relayed");
  t.equal(await Promise.race([relayed, turns(50)]), "waiting");
  voice.destroy();
  await a.relay.gone(2);
  await relayed;
});
