import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { encodeEvents } from "../../src/pool/encode-events.ts";
import type { BatchRecord } from "../../src/protocol/batch.ts";
import type { RawEntry, RawSection } from "../../src/protocol/event.ts";
import { unpackMessage } from "../../src/protocol/msgpack.ts";
import { compactOf, fieldsOf } from "../protocol/raw-entry.ts";

const required = { event_type: "order_created", tenant_id: "acme" };

function entry(id: string, values: Record<string, string> = {}): RawEntry {
  return { id, fields: fieldsOf({ ...required, payload: '{"n":1}', ...values }) };
}

function section(entries: readonly RawEntry[], key = "ragline:stream:orders"): RawSection {
  return { key, topic: "orders", entries };
}

function recordsOf(entries: readonly RawEntry[], msgpack = true): readonly BatchRecord[] {
  return encodeEvents([section(entries)], { msgpack }).sections[0]!.records;
}

/** A whole message, as the tail becomes one behind its head. */
function jsonMessage({ jsonTail }: BatchRecord): unknown {
  return JSON.parse(`{"type":"event","id":"1A"${Buffer.from(jsonTail)}`);
}

function payloadText({ jsonTail, payloadOffset, payloadLength }: BatchRecord): string {
  return Buffer.from(jsonTail.subarray(payloadOffset, payloadOffset + payloadLength)).toString();
}

t.test("a record holds the rest of a message in both formats, and the place of the payload in it", async (t) => {
  const values = {
    event_id: "e-1",
    created_at: "2024-05-01T12:00:00Z",
    target_user_id: "u-7",
    payload: '{ "é": "\\u00e9" }',
  };
  const [record] = recordsOf([entry("1700000000000-0", values)]);
  const rest = {
    event_type: "order_created",
    data: { é: "é" },
    timestamp: "2024-05-01T12:00:00Z",
    topic: "orders",
    event_id: "e-1",
  };
  t.strictSame(jsonMessage(record!), { type: "event", id: "1A", ...rest });
  t.strictSame(unpackMessage(record!.msgpackTail), rest);
  t.equal(payloadText(record!), values.payload);
  t.match(record, { id: "1700000000000-0", tenant: "acme", type: "order_created", target: "u-7" });
});

t.test("an event for everyone has no target, one without an id of its own no event_id", async (t) => {
  const [record] = recordsOf([entry("1700000000000-0")]);
  t.equal(record!.target, "");
  t.notOk("event_id" in (jsonMessage(record!) as object));
  t.notOk("event_id" in (unpackMessage(record!.msgpackTail) as object));
});

t.test("MessagePack is left out while nobody takes it", async (t) => {
  const [record] = recordsOf([entry("1-0")], false);
  t.equal(record!.msgpackTail.length, 0);
  t.strictSame(record!.jsonTail, recordsOf([entry("1-0")])[0]!.jsonTail);
});

t.test("both forms of entry become the same record", async (t) => {
  const values = { ...required, event_id: "e-1", payload: { total: 9.5, items: ["é", null] } };
  const asFields = { id: "1-0", fields: fieldsOf({ ...values, payload: JSON.stringify(values.payload) }) };
  const asCompact = { id: "1-0", fields: compactOf(values) };
  t.strictSame(recordsOf([asFields]), recordsOf([asCompact]));
});

t.test("an entry nobody can be given becomes a dead letter and stops no other", async (t) => {
  const bad = { id: "2-0", fields: fieldsOf({ ...required, payload: "{" }) };
  const other = { id: "1-0", fields: fieldsOf({ payload: "1" }) };
  const raw = [section([entry("1-0"), bad, entry("3-0")]), section([other], "ragline:stream:orders:{3}")];
  const { sections, deadLetters } = encodeEvents(raw, { msgpack: true });
  t.strictSame(deadLetters, [
    { key: "ragline:stream:orders", id: "2-0", reason: "payload_not_json" },
    { key: "ragline:stream:orders:{3}", id: "1-0", reason: "no_tenant" },
  ]);
  t.strictSame(
    sections.map(({ streamKey, lastId, records }) => [streamKey, lastId, records.map(({ id }) => id)]),
    [
      ["ragline:stream:orders", "3-0", ["1-0", "3-0"]],
      ["ragline:stream:orders:{3}", "1-0", []],
    ],
  );
});

t.test("a section accounts for its last entry, also for one that was deleted or is of no interest", async (t) => {
  const deleted = { id: "9-0", fields: null };
  const lastIdOf = (entries: RawEntry[], wants?: (tenant: string) => boolean) =>
    encodeEvents([section(entries)], { msgpack: false, ...(wants && { wants }) }).sections.map(({ lastId }) => lastId);
  t.strictSame(lastIdOf([entry("1-0"), deleted]), ["9-0"]);
  t.strictSame(
    lastIdOf([entry("1-0"), entry("5-0")], () => false),
    ["5-0"],
  );
  t.strictSame(lastIdOf([]), [], "nothing was read, so nothing is said");
});

t.test("only the tenants asked for are encoded", async (t) => {
  const entries = [entry("1-0"), entry("2-0", { tenant_id: "globex" }), entry("3-0")];
  const { sections, deadLetters } = encodeEvents([section(entries)], {
    msgpack: true,
    wants: (name) => name === "globex",
  });
  t.strictSame(
    sections[0]!.records.map(({ id, tenant }) => [id, tenant]),
    [["2-0", "globex"]],
  );
  t.strictSame(deadLetters, [], "the others are not lost, only passed over");
});

t.test("a payload that JSON has room for and MessagePack has not is a dead letter, not an error", async (t) => {
  const deep = { id: "1-0", fields: fieldsOf({ ...required, payload: "[".repeat(200_000) + "]".repeat(200_000) }) };
  const { sections, deadLetters } = encodeEvents([section([deep, entry("2-0")])], { msgpack: true });
  t.match(deadLetters, [{ id: "1-0", reason: "payload_not_json" }]);
  t.equal(sections[0]!.records.length, 1);
});

t.test("any event arrives as it was produced, in both formats", async (t) => {
  const text = fc.string({ unit: "binary", maxLength: 20 });
  const type = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((text) => !/\p{Cc}/u.test(text));
  fc.assert(
    fc.property(type, fc.jsonValue(), text, (type, value, eventId) => {
      const payload = JSON.stringify(value).replaceAll('"__proto__":', '"proto":');
      const [record] = recordsOf([entry("1700000000000-0", { event_type: type, payload, event_id: eventId })]);
      const { type: _type, id: _id, ...rest } = jsonMessage(record!) as Record<string, unknown>;
      assert.deepEqual(rest.data, JSON.parse(payload));
      assert.equal(rest.event_type, type);
      assert.deepEqual(unpackMessage(record!.msgpackTail), rest);
      assert.equal(payloadText(record!), payload);
    }),
  );
  t.pass("for every event tried");
});
