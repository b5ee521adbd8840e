import t from "tap";
import { RefusalError } from "../../src/protocol/errors.ts";
import type { Identity } from "../../src/protocol/identity.ts";
import { makeBodyPublisher } from "../../src/publisher/publish-request.ts";
import { makeEventWriter } from "../../src/publisher/write.ts";
import { startTestRedis } from "../support/redis.ts";
import { connectTest, eventsIn, publisherSettings, streamKeyOf } from "./redis-fixture.ts";

const bearer = (...roles: string[]): Identity => ({ tenant: "acme", user: "u1", expiresAt: 2e9, roles });
const ITEM = { topic: "orders", event_type: "order_created", payload: { n: 1 } };

async function start(t: Parameters<typeof startTestRedis>[0]) {
  const settings = publisherSettings(await startTestRedis(t));
  const client = await connectTest(t, settings);
  const taken: [tenant: string, events: number][] = [];
  const rate = { isUsedUp: false };
  const takeRate = async (tenant: string, events: number) => {
    taken.push([tenant, events]);
    if (rate.isUsedUp) throw new RefusalError("rate_limited");
  };
  const publishBody = makeBodyPublisher(settings.topics, makeEventWriter(client, settings), takeRate);
  const publish = (body: unknown, identity: Identity, contentType = "application/json") => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return publishBody({ body: new TextEncoder().encode(text), contentType, identity });
  };
  return { settings, client, publish, taken, rate };
}

t.test("events count towards the rate of the bearer's tenant, once they are known to be good", async (t) => {
  const { client, publish, taken, rate } = await start(t);
  await publish([ITEM, { ...ITEM, tenant_id: "globex" }], bearer("service"));
  await t.rejects(publish([ITEM, { ...ITEM, topic: "other" }], bearer("publisher")), { code: "bad_request" });
  t.strictSame(taken, [["acme", 2]]);
  const before = await client.dbsize();
  rate.isUsedUp = true;
  await t.rejects(publish(ITEM, bearer("publisher")), { code: "rate_limited" });
  t.equal(await client.dbsize(), before, "and nothing is added over it");
});

t.test("a publisher publishes for its own tenant, a service for any", async (t) => {
  const { settings, client, publish } = await start(t);
  const own = await publish(ITEM, bearer("publisher"));
  const any = await publish([ITEM, { ...ITEM, tenant_id: "globex" }], bearer("service"));
  const named = await publish({ ...ITEM, tenant_id: "acme" }, bearer("other", "publisher"));
  const acme = await eventsIn(client, streamKeyOf(settings, "acme"));
  t.strictSame(
    acme.filter(({ tenant }) => tenant === "acme").map(({ id }) => id),
    [own[0], any[0], named[0]],
  );
  const globex = await eventsIn(client, streamKeyOf(settings, "globex"));
  t.strictSame(
    globex.filter(({ tenant }) => tenant === "globex").map(({ id }) => id),
    [any[1]],
  );
});

t.test("without the role, and for another tenant, publishing is forbidden", async (t) => {
  const { client, publish } = await start(t);
  for (const identity of [bearer(), bearer("admin"), bearer("Publisher")]) {
    await t.rejects(publish(ITEM, identity), { code: "forbidden" });
    await t.rejects(publish("not JSON", identity), { code: "forbidden" }, "whatever the body is");
  }
  const foreign = publish([ITEM, { ...ITEM, tenant_id: "globex" }], bearer("publisher"));
  await t.rejects(foreign, { code: "forbidden", message: /^item 1: tenant_id: / });
  t.equal(await client.dbsize(), 0);
});

t.test("one bad item of many, and nothing is added", async (t) => {
  const { client, publish } = await start(t);
  const items: object[] = Array.from({ length: 600 }, () => ITEM);
  items[599] = { ...ITEM, topic: "other" };
  const expected = { code: "bad_request", message: "item 599: topic: unknown topic" };
  await t.rejects(publish(items, bearer("publisher")), expected);
  const lines = items.map((item) => JSON.stringify(item)).join("\n");
  await t.rejects(publish(lines, bearer("publisher"), "application/x-ndjson"), expected);
  items[599] = { ...ITEM, payload: "x".repeat(1 << 20) };
  await t.rejects(publish(items, bearer("publisher")), { code: "too_large", message: /^item 599: / });
  t.equal(await client.dbsize(), 0);
});

t.test("NDJSON answers one id per line, in order", async (t) => {
  const { settings, client, publish } = await start(t);
  const lines = [1, 2, 3].map((payload) => JSON.stringify({ ...ITEM, payload }));
  const ids = await publish(`${lines.join("\n\n")}\n`, bearer("publisher"), "application/x-ndjson");
  const added = await eventsIn(client, streamKeyOf(settings, "acme"));
  t.strictSame(
    added.map(({ id, payload }) => [id, payload]),
    ids.map((id, i) => [id, i + 1]),
  );
});
