import { randomUUID } from "node:crypto";
import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { type Answer, request } from "../support/request.ts";
import { openWs } from "../support/ws-client.ts";

const { redis, gateway } = await startJourney(t);

function publish(token: string, body: unknown, type = "application/json"): Promise<Answer> {
  return request(`${gateway.url}/publish`, { method: "POST", token, body, headers: { "content-type": type } });
}

const publisher = (tenant: string) => gateway.token({ tenant, roles: ["publisher"] });
const service = (tenant: string) => gateway.token({ tenant, roles: ["service"] });
const order = (payload: unknown, more: object = {}) => ({
  ...{ topic: "orders", event_type: "order_created", payload },
  ...more,
});

async function publishedIds(answer: Answer | Promise<Answer>): Promise<string[]> {
  const { status, text, json } = await answer;
  t.equal(status, 202, text.slice(0, 300));
  t.same(Object.keys(json as object), ["ids"]);
  return (json as { ids: string[] }).ids;
}

t.test("one object is added, and delivered on every endpoint", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const followers = await Promise.all([
    ...ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token })),
    follow(t, gateway, "/ws", { token, protocols: ["ragline.msgpack.v1"] }),
  ]);
  const payload = { total: 12.5, text: "ü\n", list: [null, true] };
  const ids = await publishedIds(publish(publisher(tenant), order(payload)));
  t.equal(ids.length, 1);
  t.match(ids[0], /^\d+-\d+$/);
  for (const follower of followers) {
    t.match(await follower.next(), { kind: "event", type: "order_created", data: payload }, follower.endpoint);
  }
});

t.test("an array is added in order, with its ids in order", async (t) => {
  const tenant = newTenant();
  const follower = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }) });
  const ids = await publishedIds(
    publish(
      publisher(tenant),
      Array.from({ length: 200 }, (_, n) => order(n)),
    ),
  );
  t.equal(new Set(ids).size, 200);
  t.same(ids, [...ids].sort(byEntryId));
  t.same(
    (await follower.take(200)).map(({ data }) => data),
    Array.from({ length: 200 }, (_, n) => n),
  );
});

function byEntryId(one: string, other: string): number {
  const [a, b] = [one, other].map((id) => id.split("-").map(Number));
  return a![0]! - b![0]! || a![1]! - b![1]!;
}

t.test("NDJSON is added line by line", async (t) => {
  const tenant = newTenant();
  const follower = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }) });
  const lines = [0, 1, 2].map((n) => JSON.stringify(order(n)));
  for (const [type, body] of [
    ["application/x-ndjson", lines.join("\n")],
    ["application/x-ndjson", `${lines.join("\n")}\n`],
    ["application/x-ndjson; charset=utf-8", lines.join("\r\n")],
  ] as const) {
    t.equal((await publishedIds(publish(publisher(tenant), body, type))).length, 3);
    t.same(
      (await follower.take(3)).map(({ data }) => data),
      [0, 1, 2],
    );
  }
});

t.test("all fields reach those they are meant for", async (t) => {
  const tenant = newTenant();
  const anna = await openWs(t, `${gateway.url}/ws`, { token: gateway.token({ tenant, user: "anna" }) });
  const bert = await openWs(t, `${gateway.url}/ws`, { token: gateway.token({ tenant, user: "bert" }) });
  for (const client of [anna, bert]) await client.next();
  const event_id = randomUUID();
  await publishedIds(
    publish(publisher(tenant), [
      { topic: "system", event_type: "system_alert", payload: 1, target_user_id: "anna", user_id: "carl", event_id },
      { topic: "system", event_type: "system_alert", payload: 2, tenant_id: tenant },
    ]),
  );
  t.match(await anna.next(), { event_type: "system_alert", topic: "system", data: 1, event_id });
  t.match(await anna.next(), { data: 2 });
  t.match(await bert.next(), { data: 2 });
});

/** As `CLUSTER KEYSLOT` of Redis answers; the braces of a hash tag count. */
const SLOTS = { acme: 11304, globex: 14041, "42": 8000, "a/b": 13927, "*": 1320, "a:b": 2785, "{x}": 16287, x: 16287 };

t.test("events are added in the compact form, to the tenant's partition of the topic", async (t) => {
  const token = service(newTenant());
  for (const [tenant_id, slot] of Object.entries(SLOTS)) {
    const key = `ragline:stream:notifications:{${slot % 16}}`;
    const before = await redis.xlen(key);
    const event = { topic: "notifications", event_type: "notification", payload: { n: 1 }, tenant_id };
    const [id] = await publishedIds(publish(token, event));
    t.equal(await redis.xlen(key), before + 1, tenant_id);
    const [[entryId, fields]] = (await redis.xrevrange(key, "+", "-", "COUNT", 1)) as [[string, string[]]];
    t.equal(entryId, id);
    t.equal(fields[0], "m");
    t.equal(fields.length, 2);
  }
});

t.test("a service may publish for any tenant, and only that tenant gets it", async (t) => {
  const [own, other] = [newTenant(), newTenant()];
  const ofOwn = await follow(t, gateway, "/stream", { token: gateway.token({ tenant: own }) });
  const ofOther = await follow(t, gateway, "/stream", { token: gateway.token({ tenant: other }) });
  await publishedIds(publish(service(own), [order("for other", { tenant_id: other }), order("for own")]));
  t.equal((await ofOther.next()).data, "for other");
  t.equal((await ofOwn.next()).data, "for own");
});

t.test("the same event_id of a tenant is added once and answers the first id", async (t) => {
  const [tenant, other] = [newTenant(), newTenant()];
  const follower = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }) });
  const event_id = randomUUID();
  const [first] = await publishedIds(publish(publisher(tenant), order(1, { event_id })));
  const again = await Promise.all(
    Array.from({ length: 8 }, () => publishedIds(publish(publisher(tenant), order(2, { event_id })))),
  );
  for (const ids of again) t.same(ids, [first]);
  const [elsewhere] = await publishedIds(publish(publisher(other), order(3, { event_id })));
  t.ok(elsewhere);
  const within = randomUUID();
  const ids = await publishedIds(
    publish(publisher(tenant), [order("a", { event_id: within }), order("b"), order("c", { event_id: within })]),
  );
  t.equal(ids[2], ids[0]);
  t.not(ids[1], ids[0]);
  await publishedIds(publish(publisher(tenant), order("end")));
  t.same(
    (await follower.take(4)).map(({ data }) => data),
    [1, "a", "b", "end"],
  );
});

t.test("publishing from both workers at once loses nothing", async (t) => {
  const tenant = newTenant();
  const follower = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }) });
  const token = publisher(tenant);
  await Promise.all(Array.from({ length: 100 }, (_, n) => publishedIds(publish(token, order(n)))));
  const payloads = (await follower.take(100)).map(({ data }) => Number(data)).sort((a, b) => a - b);
  t.same(payloads, [...Array(100).keys()]);
});
