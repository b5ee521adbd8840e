import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import type { BatchRecord } from "../../../src/protocol/batch.ts";
import { compareEntryIds, type EntryId } from "../../../src/protocol/entry-id.ts";
import { History, LEAST_WHILE_CATCHING_UP, RECORD_OVERHEAD } from "../../../src/worker/resume/history.ts";
import { indexAfter, type StreamLog } from "../../../src/worker/resume/stream-log.ts";
import { recordOf, sectionOf } from "../fanout/listener.ts";

const STREAMS = ["s:orders", "s:system"];
const atStart = new Map(STREAMS.map((key) => [key, { id: "0-0" }]));

function openFor(maxBytes: number, ...tenants: string[]): History {
  const history = new History(maxBytes);
  for (const tenant of tenants) history.open(tenant, atStart);
  return history;
}

function keep(history: History, key: string, ...records: BatchRecord[]): void {
  history.keep([{ streamKey: key, lastId: records.at(-1)!.id, records }]);
}

function idsIn(log: StreamLog | undefined): EntryId[] {
  return Array.from({ length: log?.length ?? 0 }, (_, i) => log!.at(i).id);
}

/** Encoded forms of so many bytes, every one of them telling which event it is. */
function recordWith(id: string, bytes: number, tenant = "acme", msgpack = true): BatchRecord {
  const number = Number(id.split("-")[0]) % 256;
  const jsonTail = new Uint8Array(bytes).fill(number);
  const msgpackTail = new Uint8Array(msgpack ? bytes : 0).fill(255 - number);
  return { ...recordOf({ id, tenant }), jsonTail, msgpackTail };
}

t.test("what is kept of a tenant starts where its interest did, stream by stream", async (t) => {
  const history = new History(1_000_000);
  keep(history, "s:orders", recordOf({ id: "1-0", tenant: "acme" }));
  t.equal(history.log("acme", "s:orders"), undefined);
  history.open("acme", new Map([["s:orders", { id: "1-0" }]]));
  history.open("acme", new Map([["s:orders", { id: "9-0" }]]));
  t.equal(history.log("acme", "s:orders")!.floor(false), "1-0", "opening it once more changes nothing");
  for (const id of ["2-0", "3-0"]) keep(history, "s:orders", recordOf({ id, tenant: "acme" }));
  keep(history, "s:orders", recordOf({ id: "4-0", tenant: "globex" }));
  keep(history, "s:unknown", recordOf({ id: "5-0", tenant: "acme" }));
  t.strictSame(idsIn(history.log("acme", "s:orders")), ["2-0", "3-0"]);
  t.equal(history.log("globex", "s:orders"), undefined);
});

t.test("what comes a second time is passed over", async (t) => {
  const history = new History(1_000_000);
  history.open("acme", new Map([["s:orders", { id: "5-0" }]]));
  const batch = ["4-0", "5-0", "6-0", "10-0"].map((id) => recordOf({ id, tenant: "acme" }));
  for (let i = 0; i < 2; i++) keep(history, "s:orders", ...batch);
  keep(history, "s:orders", recordOf({ id: "9-0", tenant: "acme" }));
  t.strictSame(idsIn(history.log("acme", "s:orders")), ["6-0", "10-0"]);
});

t.test("the encoded forms are copies: the batch they came in can be forgotten", async (t) => {
  const history = openFor(1_000_000, "acme");
  const { records } = sectionOf("orders", [{ id: "1-0", tenant: "acme", payload: { text: "x".repeat(100) } }]);
  const [before] = structuredClone(records);
  keep(history, "s:orders", records[0]!);
  records[0]!.jsonTail.fill(0);
  records[0]!.msgpackTail.fill(0);
  const kept = history.log("acme", "s:orders")!.at(0);
  t.strictSame(Buffer.from(kept.jsonTail), Buffer.from(before!.jsonTail));
  t.strictSame(Buffer.from(kept.msgpackTail), Buffer.from(before!.msgpackTail));
  t.notOk(kept.jsonTail.buffer === records[0]!.jsonTail.buffer);
});

t.test("who takes MessagePack can read from where every event has that form", async (t) => {
  const history = openFor(1_000_000, "acme");
  const log = history.log("acme", "s:orders")!;
  keep(history, "s:orders", recordWith("1-0", 10), recordWith("2-0", 10, "acme", false), recordWith("3-0", 10));
  t.equal(log.floor(false), "0-0");
  t.equal(log.floor(true), "2-0");
  keep(history, "s:orders", recordWith("4-0", 10, "acme", false));
  t.equal(log.floor(true), "4-0");
});

t.test("a tenant that is given up takes nothing along, and starts anew later", async (t) => {
  const history = openFor(20_000, "acme", "globex");
  for (let i = 1; i <= 5; i++) keep(history, "s:orders", recordWith(`${i}-0`, 200, i % 2 ? "acme" : "globex"));
  history.close("acme");
  history.close("nobody");
  t.equal(history.log("acme", "s:orders"), undefined);
  history.open("acme", new Map([["s:orders", { id: "7-0" }]]));
  for (let i = 8; i <= 60; i++) keep(history, "s:orders", recordWith(`${i}-0`, 200, i % 2 ? "acme" : "globex"));
  for (const tenant of ["acme", "globex"]) {
    const ids = idsIn(history.log(tenant, "s:orders"));
    t.ok(ids.length > 3, `${tenant} keeps ${ids.length}`);
    t.ok(compareEntryIds(ids[0]!, history.log(tenant, "s:orders")!.floor(false)) > 0);
  }
});

t.test("a stream that starts anew is empty for everyone, other streams are as before", async (t) => {
  const history = openFor(1_000_000, "acme", "globex");
  for (const tenant of ["acme", "globex"]) {
    keep(history, "s:orders", recordOf({ id: "7-0", tenant }));
    keep(history, "s:system", recordOf({ id: "8-0", tenant }));
  }
  history.forgetStream("s:orders");
  for (const tenant of ["acme", "globex"]) {
    t.equal(history.log(tenant, "s:orders")!.floor(false), "0-0");
    t.strictSame(idsIn(history.log(tenant, "s:orders")), []);
    t.strictSame(idsIn(history.log(tenant, "s:system")), ["8-0"]);
  }
  keep(history, "s:orders", recordOf({ id: "2-0", tenant: "acme" }));
  t.strictSame(idsIn(history.log("acme", "s:orders")), ["2-0"], "also at ids it had before");
});

t.test("without a limit to speak of nothing is kept, but while somebody catches up", async (t) => {
  const history = openFor(0, "acme");
  const log = history.log("acme", "s:orders")!;
  keep(history, "s:orders", recordWith("1-0", 100));
  t.strictSame([idsIn(log), log.floor(false), history.bytes], [[], "1-0", 0]);
  history.catchUpStarts();
  history.catchUpStarts();
  keep(history, "s:orders", recordWith("2-0", 100), recordWith("3-0", 100));
  t.strictSame([idsIn(log), log.floor(false)], [["2-0", "3-0"], "1-0"]);
  history.catchUpEnds();
  t.strictSame(idsIn(log), ["2-0", "3-0"]);
  history.catchUpEnds();
  t.strictSame([idsIn(log), log.floor(false), history.bytes], [[], "3-0", 0]);
});

t.test("an event larger than everything there may be is passed over, with all before it", async (t) => {
  const history = openFor(10_000, "acme");
  const log = history.log("acme", "s:orders")!;
  keep(history, "s:orders", recordWith("1-0", 100), recordWith("2-0", 10_000), recordWith("3-0", 100));
  t.strictSame([idsIn(log), log.floor(false)], [["3-0"], "2-0"]);
});

const anyTenant = fc.constantFrom("acme", "globex", "7");
const anyStep = fc.oneof(
  { weight: 1, arbitrary: fc.record({ open: anyTenant }) },
  { weight: 1, arbitrary: fc.record({ close: anyTenant }) },
  { weight: 1, arbitrary: fc.constantFrom("catchUpStarts" as const, "catchUpEnds" as const) },
  {
    weight: 12,
    arbitrary: fc.record({
      stream: fc.constantFrom(...STREAMS),
      events: fc.array(
        fc.record({ tenant: anyTenant, bytes: fc.oneof(fc.nat(50), fc.nat(3_000)), msgpack: fc.boolean() }),
        { maxLength: 12 },
      ),
    }),
  },
);

t.test("whatever comes, nothing is missing behind a floor, and the bytes are within the limit", async () => {
  const anyLimit = fc.constantFrom(0, 600, 5_000, 40_000, 1_000_000);
  const run = fc.property(anyLimit, fc.array(anyStep, { maxLength: 60 }), (limit, steps) => {
    const history = new History(limit);
    /** All there ever was. */
    const events: { stream: string; record: BatchRecord }[] = [];
    const openedAt = new Map<string, number>();
    let catchingUp = 0;
    for (const step of steps) {
      if (step === "catchUpStarts" || (step === "catchUpEnds" && catchingUp > 0)) {
        history[step]();
        catchingUp += step === "catchUpStarts" ? 1 : -1;
      } else if (typeof step === "string") continue;
      else if ("open" in step) {
        history.open(step.open, new Map(STREAMS.map((key) => [key, { id: `${events.length}-0` }])));
        if (!openedAt.has(step.open)) openedAt.set(step.open, events.length);
      } else if ("close" in step) {
        history.close(step.close);
        openedAt.delete(step.close);
      } else {
        const records = step.events.map(({ tenant, bytes, msgpack }, i) =>
          recordWith(`${events.length + 1 + i}-0`, bytes, tenant, msgpack),
        );
        for (const record of records) events.push({ stream: step.stream, record });
        if (records.length > 0) keep(history, step.stream, ...records);
      }
      const most = catchingUp > 0 ? Math.max(limit, LEAST_WHILE_CATCHING_UP) : limit;
      assert.ok(history.bytes <= most, `${history.bytes} bytes of ${most}`);
      for (const tenant of ["acme", "globex", "7"]) {
        for (const stream of STREAMS) check(history.log(tenant, stream), tenant, stream);
      }
    }

    function check(log: StreamLog | undefined, tenant: string, stream: string): void {
      const since = openedAt.get(tenant);
      assert.equal(log === undefined, since === undefined);
      if (log === undefined) return;
      const floor = log.floor(false);
      const after = (id: string) => (event: (typeof events)[number]) => compareEntryIds(event.record.id, id) > 0;
      const ofLog = events
        .slice(since)
        .filter((event) => event.record.tenant === tenant && event.stream === stream)
        .filter(after(floor));
      assert.deepEqual(
        idsIn(log),
        ofLog.map(({ record }) => record.id),
      );
      for (const [i, { record }] of ofLog.entries()) {
        assert.deepEqual(Buffer.from(log.at(i).jsonTail), Buffer.from(record.jsonTail));
        assert.equal(indexAfter(log, record.id), i + 1);
      }
      const binary = ofLog.filter(after(log.floor(true)));
      assert.ok(binary.every(({ record }) => record.msgpackTail.length > 0 || record.jsonTail.length === 0));
    }
  });
  fc.assert(run, { numRuns: 300 });
});

t.test("a full history holds about as many events as fit", async (t) => {
  const history = openFor(1_000_000, "acme");
  for (let i = 1; i <= 5_000; i++) keep(history, "s:orders", recordWith(`${i}-0`, 250));
  const fits = Math.floor(1_000_000 / (500 + RECORD_OVERHEAD));
  const { length } = history.log("acme", "s:orders")!;
  t.ok(length > fits * 0.85 && length <= fits, `${length} of ${fits}`);
});
