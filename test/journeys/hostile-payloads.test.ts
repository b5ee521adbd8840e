import { pack } from "msgpackr";
import t, { type Test } from "tap";
import { follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { type Answer, request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { addEntry, addEvent, sharedKey } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);
const tenant = newTenant();
const token = gateway.token({ tenant, roles: ["publisher"] });
const stranger = newTenant();
/** The parser of the first is strict about every line. The last takes MessagePack. */
const followers = await Promise.all([
  follow(t, gateway, "/stream", { token }),
  follow(t, gateway, "/ws", { token }),
  follow(t, gateway, "/ws", { token, protocols: ["ragline.msgpack.v1"] }),
]);
const foreign = await follow(t, gateway, "/stream", { token: gateway.token({ tenant: stranger }) });
let marker = 0;

/** Everyone gets exactly these payloads and a marker, in any order: they stand in several streams. */
async function allGet(t: Test, payloads: readonly unknown[]): Promise<void> {
  const last = `marker ${++marker}`;
  await addEvent(redis, { tenant_id: tenant, payload: last });
  for (const follower of followers) {
    const items = await follower.take(payloads.length + 1);
    t.same(
      items.map(({ data }) => JSON.stringify(data)).sort(),
      [...payloads, last].map((payload) => JSON.stringify(payload)).sort(),
      follower.endpoint,
    );
  }
}

function publish(body: string): Promise<Answer> {
  return request(`${gateway.url}/publish`, { method: "POST", token, body });
}

const item = (payload: string, more = "") =>
  `{"topic":"orders","event_type":"order_created","payload":${payload}${more}}`;

const ODD_PAYLOADS: readonly string[] = [
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{"isAdmin":true}}}',
  '{"toString":1,"hasOwnProperty":2,"valueOf":3,"toJSON":4,"then":5}',
  '"line\\r\\n\\r\\nevent: forged\\r\\nid: 1\\r\\ndata: {}\\r\\n\\r\\n"',
  '"\\u2028 \\u2029 \\u0085 \\u0000 \\ufeff"',
  '{"":{"":""}," ":0,"\\n":1}',
  '"</script><script>alert(1)</script>"',
  `${"[".repeat(512)}${"]".repeat(512)}`,
  "-0.0",
  "1e308",
  "null",
];

t.test("a payload made to confuse is delivered as it is, and nothing besides", async (t) => {
  for (const [i, payload] of ODD_PAYLOADS.entries()) {
    t.equal((await publish(item(payload))).status, 202, `payload ${i}`);
    await addEntry(redis, sharedKey("orders"), [
      ...["event_type", "order_created", "tenant_id", tenant],
      ...["payload", payload.replaceAll(",", ",\r\n")],
    ]);
  }
  const values = ODD_PAYLOADS.map((payload) => JSON.parse(payload.replaceAll("-0.0", "0")) as unknown);
  await allGetOdd(t, values);
  t.equal(({} as { isAdmin?: boolean }).isAdmin, undefined);
});

/** Each of these twice: once published, once from a producer. */
async function allGetOdd(t: Test, values: readonly unknown[]): Promise<void> {
  const last = `marker ${++marker}`;
  await addEvent(redis, { tenant_id: tenant, payload: last });
  for (const follower of followers) {
    const items = (await follower.take(2 * values.length + 1)).map(({ data }) => asJson(data));
    for (const [i, value] of values.entries()) {
      t.equal(items.filter((text) => text === asJson(value)).length, 2, `${follower.endpoint}: payload ${i}`);
    }
    t.ok(items.includes(asJson(last)));
  }
}

/** The MessagePack library gives a key `__proto__` another name. */
function asJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('"__proto_"', '"__proto__"');
}

const REFUSED: readonly (readonly [what: string, body: string, status?: number])[] = [
  ["nested a million levels deep", item("[".repeat(1_000_000) + "]".repeat(1_000_000))],
  ["of eight million brackets", "[".repeat(8_000_000)],
  ["whose payload is nested deeper than any client could read", item("[".repeat(513) + "]".repeat(513))],
  ["with a prototype for its fields", `{"__proto__":${item("1")}}`],
  ["with a prototype among its fields", item("1", ',"__proto__":{"tenant_id":"x"}')],
  ["whose type ends a line", item("1").replace("order_created", "a\\r\\ndata: forged")],
  ["whose type holds a zero byte", item("1").replace("order_created", "a\\u0000")],
  ["whose type is half a surrogate", item("1").replace("order_created", "\\ud800")],
  ["whose payload is half a surrogate", item('"\\udc00"')],
  ["for the tenant of an object", item("1", ',"tenant_id":{"toString":"x"}')],
  ["that names another tenant", item("1", `,"tenant_id":"${stranger}"`), 403],
  ["that names its own tenant and then another", item("1", `,"tenant_id":"${tenant}","tenant_id":"${stranger}"`), 403],
];

t.test("a request made to confuse is refused as a whole", async (t) => {
  for (const [what, body, status = 400] of REFUSED) t.equal((await publish(body)).status, status, what);
  const twice = await publish(item("1", `,"tenant_id":"${stranger}","tenant_id":"${tenant}"`));
  t.equal(twice.status, 202, "of a key that stands twice the last one counts");
  await allGet(t, [1]);
});

const good = ["event_type", "order_created", "tenant_id", tenant, "payload", "1"];
const DEAD: readonly (readonly (string | Buffer)[])[] = [
  ["event_type", "a\ndata: forged", ...good.slice(2)],
  ["event_type", Buffer.from([0xff, 0xfe]), ...good.slice(2)],
  ["event_type", "x".repeat(257), ...good.slice(2)],
  [...good, "tenant_id", Buffer.from([0xc3])],
  [...good, "target_user_id", "u".repeat(257)],
  [...good.slice(0, 4), "payload", "{"],
  [...good.slice(0, 4), "payload", "x".repeat((1 << 20) + 1)],
  [...good.slice(0, 4), "payload", '{"a":1}{"tenant_id":"x"}'],
  ["m", Buffer.alloc(100_000, 0x91)],
  ["m", Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff])],
  ["m", pack([1, 2])],
  ["m", pack({ event_type: "a", payload: 1, tenant_id: { toString: "x" } })],
  ["m", pack({ __proto__: { tenant_id: "x" }, event_type: "a", payload: 1 })],
  ["__proto__", "x", "constructor", "y"],
];

t.test("an entry made to confuse becomes a dead letter, and those around it are delivered", async (t) => {
  const before = await redis.xlen("ragline:dlq:orders");
  for (const fields of DEAD) await addEntry(redis, sharedKey("orders"), fields);
  // Of a field that stands twice the last one counts, for the check and for the delivery alike.
  await addEntry(redis, sharedKey("orders"), [...good, "tenant_id", stranger, "payload", '"for the stranger"']);
  await allGet(t, []);
  t.equal((await foreign.next()).data, "for the stranger");
  await until("all to be dead letters", async () => (await redis.xlen("ragline:dlq:orders")) === before + DEAD.length);
});
