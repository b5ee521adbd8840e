import t, { type Test } from "tap";
import { follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { type Answer, request } from "../support/request.ts";

const { redis, gateway } = await startJourney(t);

const MIB = 1024 * 1024;
const order = (payload: unknown, more: object = {}) => ({
  ...{ topic: "orders", event_type: "order_created", payload },
  ...more,
});

function publish(token: string, body: unknown, type = "application/json"): Promise<Answer> {
  return request(`${gateway.url}/publish`, { method: "POST", token, body, headers: { "content-type": type } });
}

async function entries(): Promise<number> {
  const keys = await redis.keys("ragline:stream:*");
  const lengths = await Promise.all(keys.map((key) => redis.xlen(key)));
  return lengths.reduce((sum, length) => sum + length, 0);
}

async function refusedAndNothingAdded(t: Test, status: number, code: string, send: () => Promise<Answer>) {
  const before = await entries();
  const answer = await send();
  t.equal(answer.status, status, answer.text.slice(0, 300));
  t.match(answer.json, { error: { code, message: String } });
  t.equal(await entries(), before, "nothing was added");
  return (answer.json as { error?: { message?: string } } | undefined)?.error?.message ?? "";
}

t.test("without role publisher or service publishing is forbidden", async (t) => {
  const tenant = newTenant();
  for (const roles of [[], ["admin"], ["reader", "Publisher"]]) {
    const token = gateway.token({ tenant, roles });
    await refusedAndNothingAdded(t, 403, "forbidden", () => publish(token, order(1)));
  }
});

t.test("a publisher may name its own tenant and no other", async (t) => {
  const [tenant, other] = [newTenant(), newTenant()];
  const token = gateway.token({ tenant, roles: ["publisher"] });
  t.equal((await publish(token, order(1, { tenant_id: tenant }))).status, 202);
  await refusedAndNothingAdded(t, 403, "forbidden", () => publish(token, order(1, { tenant_id: other })));
  await refusedAndNothingAdded(t, 403, "forbidden", () => publish(token, [order(1), order(2, { tenant_id: other })]));
});

const { topic: _topic, ...withoutTopic } = order(1);
const { event_type: _type, ...withoutType } = order(1);
const { payload: _payload, ...withoutPayload } = order(1);
const BAD: readonly (readonly [field: string, item: unknown])[] = [
  ["topic", withoutTopic],
  ["topic", order(1, { topic: "unknown" })],
  ["topic", order(1, { topic: 7 })],
  ["topic", order(1, { topic: "__proto__" })],
  ["event_type", withoutType],
  ["event_type", order(1, { event_type: "" })],
  ["event_type", order(1, { event_type: 7 })],
  ["event_type", order(1, { event_type: "a\nb" })],
  ["payload", withoutPayload],
  ["event_id", order(1, { event_id: { a: 1 } })],
  ["target_user_id", order(1, { target_user_id: ["anna"] })],
  ["user_id", order(1, { user_id: {} })],
  ["tenant_id", order(1, { tenant_id: "" })],
  ["tenant_id", order(1, { tenant_id: [1] })],
];

for (const [field, item] of BAD) {
  t.test(`a bad ${field} is named with its index, and nothing is added: ${JSON.stringify(item)}`, async (t) => {
    const token = gateway.token({ tenant: newTenant(), roles: ["service"] });
    const bodies: readonly (readonly [index: number, body: unknown, type: string])[] = [
      [0, item, "application/json"],
      [0, [item, order(1)], "application/json"],
      [2, [order(1), order(2), item], "application/json"],
      [1, [order(1), item, order(2)].map((line) => JSON.stringify(line)).join("\n"), "application/x-ndjson"],
    ];
    for (const [index, body, type] of bodies) {
      const message = await refusedAndNothingAdded(t, 400, "bad_request", () => publish(token, body, type));
      t.match(message, new RegExp(`\\b${field}\\b`), message);
      t.match(message, new RegExp(`\\b${index}\\b`), message);
    }
  });
}

t.test("what is no object, array or NDJSON of objects is a bad request", async (t) => {
  const token = gateway.token({ tenant: newTenant(), roles: ["publisher"] });
  for (const body of ["", "{", "nonsense", "7", '"text"', "null", "[7]", "[[]]", '[{"topic":"orders"}', "{}{}"]) {
    await refusedAndNothingAdded(t, 400, "bad_request", () => publish(token, body));
  }
  const line = JSON.stringify(order(1));
  for (const body of [`${line}\n{`, `${line}\nnull`, `${line}${line}`]) {
    await refusedAndNothingAdded(t, 400, "bad_request", () => publish(token, body, "application/x-ndjson"));
  }
});

t.test("an event over 1 MiB is too large, and the others of its request are not added", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant, roles: ["publisher"] });
  const large = order("x".repeat(MIB + 1));
  await refusedAndNothingAdded(t, 413, "too_large", () => publish(token, large));
  await refusedAndNothingAdded(t, 413, "too_large", () => publish(token, [order(1), large, order(2)]));
  const follower = await follow(t, gateway, "/stream", { token });
  t.equal((await publish(token, order("x".repeat(MIB - 10_000)))).status, 202);
  t.equal(String((await follower.next()).data).length, MIB - 10_000);
});

t.test("a request over 8 MiB is too large", async (t) => {
  const token = gateway.token({ tenant: newTenant(), roles: ["publisher"] });
  const events = (count: number) => Array.from({ length: count }, () => order("x".repeat(500_000)));
  await refusedAndNothingAdded(t, 413, "too_large", () => publish(token, events(17)));
  const lines = events(17)
    .map((event) => JSON.stringify(event))
    .join("\n");
  await refusedAndNothingAdded(t, 413, "too_large", () => publish(token, lines, "application/x-ndjson"));
  t.equal((await publish(token, events(16))).status, 202);
});
