import t from "tap";
import { type GatewayEvent, MAX_ENTRY_BYTES, parseEntry } from "../../src/protocol/event.ts";
import { MAX_PAYLOAD_DEPTH } from "../../src/protocol/nesting.ts";
import { checkItem, checkItems, MAX_REQUEST_ITEMS, type PublishRules } from "../../src/publisher/item.ts";

const OWN: PublishRules = { topics: ["orders", "system"], ownTenant: "acme", anyTenant: false };
const ANY: PublishRules = { ...OWN, anyTenant: true };
const ITEM = { topic: "orders", event_type: "order_created", payload: { total: 12.5 } };

function delivered(item: unknown, rules = OWN): GatewayEvent {
  const { topic, packed } = checkItem(item, 0, rules);
  const event = parseEntry(topic, "1-1", [Buffer.from("m"), packed]);
  if (typeof event === "string") throw new Error(`a dead letter: ${event}`);
  return event;
}

t.test("what is accepted can be delivered", async (t) => {
  const event = delivered({ ...ITEM, event_id: "e1", user_id: "u1", target_user_id: "u2" });
  t.match(event, { topic: "orders", tenant: "acme", type: "order_created", eventId: "e1", targetUser: "u2" });
  t.strictSame(event.payload, { total: 12.5 });
  t.ok(Math.abs(Date.parse(event.timestamp) - Date.now()) < 60_000);

  const anonymous = delivered(ITEM);
  t.match(anonymous.eventId, /^[0-9a-f-]{36}$/, "an event without an id gets one");
  t.not(anonymous.eventId, delivered(ITEM).eventId);
  t.notOk("targetUser" in anonymous);
});

t.test("any JSON value is a payload", async (t) => {
  const values = [null, false, true, 0, -1.5, 1e300, "", "ü 🚀", [], [[1]], {}, { toJSON: 1, "": null }];
  for (const payload of values) t.equal(delivered({ ...ITEM, payload }).payloadJson, JSON.stringify(payload));
});

t.test("names may be integers, and null leaves an optional field out", async (t) => {
  const event = delivered({ ...ITEM, tenant_id: 7, event_id: 12, target_user_id: 0 }, ANY);
  t.match(event, { tenant: "7", eventId: "12", targetUser: "0" });
  const bare = delivered({ ...ITEM, tenant_id: null, event_id: null, user_id: null, target_user_id: null });
  t.equal(bare.tenant, "acme");
  t.notOk("targetUser" in bare);
});

t.test("a refusal names the item and the field", async (t) => {
  const name = "must be text of 1 to 256 bytes, or an integer below 2^53";
  const type = "must be text of 1 to 256 bytes without control characters";
  const cases: [item: unknown, problem: string][] = [
    [null, "must be an object"],
    [[ITEM], "must be an object"],
    ["text", "must be an object"],
    [{ ...ITEM, colour: 1 }, 'unknown field "colour"'],
    [JSON.parse('{"topic":"orders","event_type":"a","payload":1,"__proto__":{}}'), 'unknown field "__proto__"'],
    [{ ...ITEM, ["x".repeat(1000)]: 1 }, `unknown field "${"x".repeat(64)}"`],
    [{ event_type: "a", payload: 1 }, "topic: missing"],
    [{ ...ITEM, topic: "other" }, "topic: unknown topic"],
    [{ ...ITEM, topic: "__proto__" }, "topic: unknown topic"],
    [{ ...ITEM, topic: ["orders"] }, "topic: unknown topic"],
    [{ topic: "orders", payload: 1 }, "event_type: missing"],
    [{ ...ITEM, event_type: "" }, `event_type: ${type}`],
    [{ ...ITEM, event_type: 5 }, `event_type: ${type}`],
    [{ ...ITEM, event_type: "a\nb" }, `event_type: ${type}`],
    [{ ...ITEM, event_type: "a\u0085b" }, `event_type: ${type}`],
    [{ ...ITEM, event_type: "\ud800" }, `event_type: ${type}`],
    [{ ...ITEM, event_type: "ü".repeat(129) }, `event_type: ${type}`],
    [{ topic: "orders", event_type: "a" }, "payload: missing"],
    [{ ...ITEM, payload: { a: ["\udc00"] } }, "payload: contains half of a surrogate pair, which is no Unicode text"],
    [{ ...ITEM, payload: { "\udc00": 1 } }, "payload: contains half of a surrogate pair, which is no Unicode text"],
    [{ ...ITEM, payload: nested(MAX_PAYLOAD_DEPTH + 1) }, "payload: nested more than 512 levels deep"],
    [{ ...ITEM, payload: nested(1_000_000) }, "payload: nested more than 512 levels deep"],
    [{ ...ITEM, tenant_id: "" }, `tenant_id: ${name}`],
    [{ ...ITEM, tenant_id: 1.5 }, `tenant_id: ${name}`],
    [{ ...ITEM, tenant_id: 2 ** 53 }, `tenant_id: ${name}`],
    [{ ...ITEM, tenant_id: ["acme"] }, `tenant_id: ${name}`],
    [{ ...ITEM, event_id: "x".repeat(257) }, `event_id: ${name}`],
    [{ ...ITEM, user_id: true }, `user_id: ${name}`],
    [{ ...ITEM, target_user_id: "" }, `target_user_id: ${name}`],
    [{ ...ITEM, target_user_id: {} }, `target_user_id: ${name}`],
  ];
  for (const [item, problem] of cases) {
    t.throws(() => checkItem(item, 3, OWN), { code: "bad_request", message: `item 3: ${problem}` });
  }
});

t.test("the longest names and the deepest payload that are accepted can be delivered", async (t) => {
  const longest = "ü".repeat(128);
  const item = { ...ITEM, event_type: longest, event_id: longest, target_user_id: longest, tenant_id: longest };
  const event = delivered({ ...item, payload: nested(MAX_PAYLOAD_DEPTH) }, ANY);
  t.match(event, { type: longest, eventId: longest, targetUser: longest, tenant: longest });
});

t.test("another tenant's event needs the right to publish for any", async (t) => {
  t.equal(delivered({ ...ITEM, tenant_id: "acme" }).tenant, "acme");
  t.equal(delivered({ ...ITEM, tenant_id: "globex" }, ANY).tenant, "globex");
  for (const tenant_id of ["globex", "Acme", "acme ", 0]) {
    t.throws(() => checkItem({ ...ITEM, tenant_id }, 0, OWN), { code: "forbidden", message: /^item 0: tenant_id: / });
  }
  const library: PublishRules = { topics: ["orders"], ownTenant: null, anyTenant: true };
  t.throws(() => checkItem(ITEM, 0, library), { code: "bad_request", message: "item 0: tenant_id: missing" });
});

t.test("an event is too large when its packed entry passes 1 MiB, and not before", async (t) => {
  const overhead = checkItem({ ...ITEM, payload: "x".repeat(70_000) }, 0, OWN).packed.length - 70_000;
  const largest = checkItem({ ...ITEM, payload: "x".repeat(MAX_ENTRY_BYTES - overhead) }, 0, OWN);
  t.equal(largest.packed.length, MAX_ENTRY_BYTES);
  t.type(parseEntry("orders", "1-1", [Buffer.from("m"), largest.packed]), "object");
  const oneMore = { ...ITEM, payload: "x".repeat(MAX_ENTRY_BYTES - overhead + 1) };
  t.throws(() => checkItem(oneMore, 3, OWN), { code: "too_large", message: /^item 3: / });
});

t.test("keys of a prototype are data like any other", async (t) => {
  const payload = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":1}}');
  const event = delivered({ ...ITEM, payload });
  t.notOk("polluted" in (event.payload as object));
  t.notOk("polluted" in {});
  t.match(event.payloadJson, /"constructor":\{"prototype":1\}/);
});

t.test("many items are checked in order, up to a limit", async (t) => {
  const items = Array.from({ length: 1200 }, (_, i) => ({ ...ITEM, event_id: i }));
  const events = await checkItems(items, OWN);
  t.strictSame(
    events.map(({ dedupeId }) => dedupeId),
    items.map(({ event_id }) => String(event_id)),
  );
  items[1100] = { ...ITEM, event_id: -0.5 };
  await t.rejects(checkItems(items, OWN), { message: /^item 1100: event_id: / });
  await t.rejects(checkItems(new Array(MAX_REQUEST_ITEMS + 1).fill(ITEM), OWN), { code: "too_large" });
});

function nested(levels: number): unknown {
  let value: unknown[] = [];
  for (let level = 1; level < levels; level++) value = [value];
  return value;
}
