import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import {
  type EntryFields,
  type GatewayEvent,
  isEventType,
  MAX_ENTRY_BYTES,
  MAX_TYPE_BYTES,
  parseEntry,
} from "../../src/protocol/event.ts";
import { anyEntryId, anyText } from "./arbitraries.ts";
import { compactOf, fieldsOf } from "./raw-entry.ts";

const ID = "1700000000000-0";
const parse = (fields: EntryFields) => parseEntry("orders", ID, fields);
const required = { event_type: "order_created", tenant_id: "acme" };
const bytes = (...parts: (string | number[] | Uint8Array)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Uint8Array.from(part))));

function parsed(fields: EntryFields): GatewayEvent {
  const event = parse(fields);
  if (typeof event === "string") throw new Error(event);
  return event;
}

/** The same event in both forms; a payload is given as a value. */
function bothForms(values: { payload?: unknown; [name: string]: unknown }): EntryFields[] {
  const { payload, ...rest } = values;
  const texts = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value)]));
  return [
    fieldsOf({ ...texts, ...(payload !== undefined && { payload: JSON.stringify(payload) }) }),
    compactOf({ ...rest, ...(payload !== undefined && { payload }) }),
  ];
}

t.test("an event is read alike from both forms of entry", async (t) => {
  const values = {
    ...required,
    payload: { total: 5, note: "Grüße 😀" },
    event_id: "e-1",
    target_user_id: "u-7",
    created_at: "2024-05-01T12:00:00.123456+02:00",
    source_service: "billing",
    version: 3,
  };
  for (const fields of bothForms(values)) {
    t.strictSame(parse(fields), {
      id: ID,
      topic: "orders",
      tenant: "acme",
      type: "order_created",
      payload: values.payload,
      payloadJson: JSON.stringify(values.payload),
      timestamp: values.created_at,
      eventId: "e-1",
      targetUser: "u-7",
    });
  }
});

t.test("a payload is any JSON value", async (t) => {
  for (const payload of [null, 0, "", false, [], {}, "text", [1, [2]], { a: { b: null } }]) {
    for (const fields of bothForms({ ...required, payload })) {
      t.strictSame(parsed(fields).payload, payload);
      t.equal(parsed(fields).payloadJson, JSON.stringify(payload));
    }
  }
});

t.test("without tenant_id the tenant is the payload's", async (t) => {
  const payload = { tenant_id: "inside" };
  for (const tenant_id of [undefined, ""]) {
    const values = { event_type: "x", payload, ...(tenant_id !== undefined && { tenant_id }) };
    for (const fields of bothForms(values)) t.equal(parsed(fields).tenant, "inside");
  }
  for (const fields of bothForms({ ...required, payload })) t.equal(parsed(fields).tenant, "acme");
  for (const fields of bothForms({ event_type: "x", payload: { tenant_id: 42 } })) t.equal(parsed(fields).tenant, "42");
});

t.test("an event nobody can be given says why", async (t) => {
  const { event_type, tenant_id } = required;
  const payload = { a: 1 };
  const reasons: [string, { payload?: unknown; [name: string]: unknown }][] = [
    ["no_tenant", { event_type, payload }],
    ["no_tenant", { event_type, payload: { tenant_id: "" } }],
    ["no_tenant", { event_type, payload: { tenant_id: ["acme"] } }],
    ["no_tenant", { event_type, payload: { tenant_id: null } }],
    ["no_tenant", { event_type, payload: [1] }],
    ["no_tenant", { event_type, payload: "acme" }],
    ["no_tenant", { event_type, payload: null }],
    ["no_tenant", { event_type, tenant_id: "x".repeat(257), payload }],
    ["no_type", { tenant_id, payload }],
    ["no_type", { tenant_id, event_type: "", payload }],
    ["invalid_type", { tenant_id, event_type: "a\nb", payload }],
    ["invalid_type", { tenant_id, event_type: "x".repeat(MAX_TYPE_BYTES + 1), payload }],
    ["invalid_target", { ...required, target_user_id: "x".repeat(257), payload }],
    ["no_payload", required],
  ];
  for (const [reason, values] of reasons) for (const fields of bothForms(values)) t.equal(parse(fields), reason);
});

t.test("text that is not JSON, and bytes that are not MessagePack, say so", async (t) => {
  for (const payload of ["", "{", "{'a':1}", "NaN", "undefined", "\ufeff{}", "1 2", '"a\nb"']) {
    t.equal(parse(fieldsOf({ ...required, payload })), "payload_not_json", JSON.stringify(payload));
  }
  for (const packed of [[], [0xc1, 0xc1], [0x81], [0x01], [0xc0], [0x90], [0xa1, 0x61]]) {
    t.equal(parse([Buffer.from("m"), Uint8Array.from(packed)]), "not_messagepack", JSON.stringify(packed));
  }
});

t.test("only a single field m is the compact form", async (t) => {
  t.equal(parsed(fieldsOf({ m: "x", ...required, payload: "1" })).tenant, "acme");
  t.equal(parse([]), "no_payload");
  t.equal(parse(fieldsOf({ mm: "x" })), "no_payload");
});

t.test("bytes that are not UTF-8 never become part of a name", async (t) => {
  const broken = [
    bytes([0xff]),
    bytes([0xc0, 0xaf]),
    bytes([0xed, 0xa0, 0x80]),
    bytes([0xe2, 0x82]),
    bytes("a", [0x80]),
  ];
  for (const value of broken) {
    for (const name of ["tenant_id", "event_type", "target_user_id", "payload"]) {
      t.equal(parse(fieldsOf({ ...required, payload: "1", [name]: value })), "invalid_utf8");
    }
    for (const name of ["tenant_id", "event_type", "target_user_id"]) {
      const whole = packedWith({ ...required, payload: 1 }, name, value);
      t.equal(parse([Buffer.from("m"), whole]), "invalid_utf8", name);
    }
  }
});

t.test(
  "a name may hold the character that stands for broken bytes, and stays another than the broken one",
  async (t) => {
    for (const name of ["tenant_id", "event_type", "target_user_id"]) {
      const event = parsed(compactOf({ ...required, payload: 1, [name]: "a\ufffdb" }));
      t.ok([event.tenant, event.type, event.targetUser].includes("a\ufffdb"), name);
      const whole = packedWith({ ...required, payload: "a\ufffdb!" }, name, bytes("a", [0xff], "b"));
      t.equal(parse([Buffer.from("m"), whole]), "invalid_utf8", name);
    }
  },
);

t.test("what an entry holds besides is not looked at, and need not be text", async (t) => {
  const more = [Buffer.from("trace"), Buffer.from([0xff, 0x00]), Buffer.from([0xff]), Buffer.from("x")];
  const event = parsed([...more, ...fieldsOf({ ...required, payload: "1", user_id: "u-1", version: "" })]);
  t.strictSame(Object.keys(event).sort(), ["id", "payload", "payloadJson", "tenant", "timestamp", "topic", "type"]);
});

t.test("a name is known by all its letters", async (t) => {
  for (const name of ["tenant_iD", "Tenant_id", "tenant_id ", "tenant"]) {
    t.equal(parse(fieldsOf({ event_type: "x", payload: "1", [name]: "acme" })), "no_tenant", name);
  }
});

/** A packed map in which one short text is replaced by bytes of our choice. */
function packedWith(values: Readonly<Record<string, string | number>>, name: string, value: Uint8Array): Uint8Array {
  const rest = Object.entries(values).filter(([key]) => key !== name);
  const [, packed] = compactOf(Object.fromEntries(rest));
  const head = [0x80 + rest.length + 1, 0xa0 + name.length];
  return bytes(head, name, [0xa0 + value.length], value, packed!.subarray(1));
}

t.test("a byte order mark is no part of a tenant's name, so none can stand for two", async (t) => {
  for (const tenant of ["\ufeffacme", `\ufeff${"x".repeat(100)}`]) {
    t.equal(parse(fieldsOf({ ...required, tenant_id: tenant, payload: "1" })), "no_tenant");
  }
});

t.test("an entry of 1 MiB is delivered, a larger one is not", async (t) => {
  const others = required.event_type.length + required.tenant_id.length;
  const sized = (size: number) => fieldsOf({ ...required, payload: JSON.stringify("x".repeat(size - others - 2)) });
  t.equal(typeof parse(sized(MAX_ENTRY_BYTES)), "object");
  t.equal(parse(sized(MAX_ENTRY_BYTES + 1)), "too_large");
  t.equal(parse(compactOf({ ...required, payload: "x".repeat(MAX_ENTRY_BYTES) })), "too_large");
});

t.test("line ends between the tokens of a payload become spaces, those inside text stay", async (t) => {
  const json = '{\r\n  "a": [1,\n\n2],\r"b": "x\\ny"\n}\n';
  t.equal(parsed(fieldsOf({ ...required, payload: json })).payloadJson, '{   "a": [1, 2], "b": "x\\ny" } ');
});

t.test("the text of numbers reaches the client as the producer wrote it", async (t) => {
  const json = '{"id":9007199254740993,"price":1.10,"huge":1e400}';
  t.equal(parsed(fieldsOf({ ...required, payload: json })).payloadJson, json);
  const packed = parsed(compactOf({ ...required, payload: { id: 9007199254740993n } }));
  t.equal(packed.payloadJson, '{"id":9007199254740992}', "a packed integer as near as JSON readers get");
});

t.test("a tenant given as a large integer is exact or refused", async (t) => {
  t.equal(parsed(compactOf({ ...required, tenant_id: 9007199254740993n, payload: 1 })).tenant, "9007199254740993");
  t.equal(parsed(fieldsOf({ ...required, tenant_id: "9007199254740993", payload: "1" })).tenant, "9007199254740993");
  t.equal(parse(fieldsOf({ event_type: "x", payload: '{"tenant_id":9007199254740993}' })), "no_tenant");
});

t.test("the time is the producer's if it is ISO 8601, else that of the entry", async (t) => {
  const timestampOf = (created_at: unknown) => parsed(compactOf({ ...required, payload: 1, created_at })).timestamp;
  const good = ["2024-05-01T12:00:00Z", "2024-05-01T12:00:00.123456+00:00", "2024-05-01 12:00:00", "2024-05-01"];
  for (const text of good) t.equal(timestampOf(text), text);
  const bad = [
    "",
    "now",
    "1",
    "order 5",
    "2024-13-01",
    "2024-05-01T25:00",
    "01/05/2024",
    "2024-05-01 (x)",
    5,
    null,
    {},
  ];
  for (const value of bad) t.equal(timestampOf(value), "2023-11-14T22:13:20.000Z", JSON.stringify(value));
});

t.test("every entry id has a time", async (t) => {
  fc.assert(
    fc.property(anyEntryId, (id) => {
      const event = parseEntry("orders", id, fieldsOf({ ...required, payload: "1" })) as GatewayEvent;
      return !Number.isNaN(Date.parse(event.timestamp));
    }),
  );
  t.pass("for everything tried");
});

t.test("an event id or target that is empty counts as none", async (t) => {
  for (const fields of bothForms({ ...required, payload: 1, event_id: "", target_user_id: "" })) {
    t.notOk("eventId" in parsed(fields));
    t.notOk("targetUser" in parsed(fields));
  }
});

t.test("fields named like parts of an object are harmless", async (t) => {
  const payload = '{"__proto__":{"tenant_id":"evil","polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  const fields = fieldsOf({ event_type: "x", payload });
  t.equal(parse(fields), "no_tenant", "a tenant in a prototype is none");
  for (const name of ["__proto__", "constructor", "toString"]) {
    const event = parsed([...fieldsOf({ ...required, payload }), Buffer.from(name), Buffer.from("x")]);
    t.equal(event.payloadJson, payload);
    t.equal(event.tenant, "acme");
  }
  t.equal(parse(compactOf(JSON.parse(`{"event_type":"x","payload":${payload}}`))), "no_tenant");
  t.equal(parse(fieldsOf({ event_type: "x", payload: '{"__proto__":{"tenant_id":"evil"}}' })), "no_tenant");
  t.equal(({} as Record<string, unknown>).polluted, undefined);
});

t.test("a payload nested beyond all measure is refused or delivered, but stops nothing", async (t) => {
  const depth = 200_000;
  const deep = "[".repeat(depth) + "]".repeat(depth);
  t.equal(parsed(fieldsOf({ ...required, payload: deep })).payloadJson, deep);
  const [, head] = compactOf({ ...required, payload: 1 });
  const packed = Buffer.concat([head!.subarray(0, -1), Buffer.alloc(depth, 0x91), Buffer.from([1])]);
  t.equal(parse([Buffer.from("m"), packed]), "not_messagepack");
});

t.test("any fields give an event or a reason, and an event's JSON is its payload on one line", async (t) => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    anyText.map((text) => Buffer.from(text)),
  );
  const json = fc.json().map((text) => Buffer.from(text.replaceAll(",", ",\r\n")));
  const knownName = fc.constantFrom(
    "event_type",
    "payload",
    "tenant_id",
    "target_user_id",
    "created_at",
    "m",
    "__proto__",
  );
  const name = fc.oneof(
    knownName.map((text) => Buffer.from(text)),
    anyBytes,
  );
  const anyFields = fc.array(fc.tuple(name, fc.oneof(anyBytes, json)), { maxLength: 8 }).map((pairs) => pairs.flat());
  const likely = json.map((payload) => fieldsOf({ ...required, payload }));
  fc.assert(
    fc.property(fc.oneof(anyFields, likely), (fields) => checkOutcome(parse(fields))),
    { numRuns: 2_000 },
  );
  t.pass("for all fields tried");
});

t.test("any packed bytes give an event or a reason, and an event's JSON is its payload on one line", async (t) => {
  const value = fc.anything({ withBigInt: false, withTypedArray: false, withNullPrototype: false });
  const likely = value.map((payload) => compactOf({ ...required, payload })[1]!);
  const damaged = fc
    .tuple(likely, fc.nat(), fc.nat(255))
    .map(([packed, at, byte]) => packed.with(at % packed.length, byte));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), likely, damaged), (packed) => {
      checkOutcome(parse([Buffer.from("m"), packed]));
    }),
    { numRuns: 2_000 },
  );
  t.pass("for all bytes tried");
});

function checkOutcome(outcome: ReturnType<typeof parse>): void {
  if (typeof outcome === "string") return;
  const { payload, payloadJson, type, tenant } = outcome;
  assert.doesNotMatch(payloadJson, /[\r\n]/);
  const nearest = (_key: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value);
  assert.deepEqual(JSON.parse(payloadJson), JSON.parse(JSON.stringify(payload, nearest)));
  assert.ok(isEventType(type));
  assert.ok(tenant.length > 0);
}
