import t from "tap";
import { SSE_ENDPOINTS } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { openSse } from "../support/sse-client.ts";
import { addEntry, addEvent, PLACES, sharedKey } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

t.test("the response says that it is an event stream nobody may hold back", async (t) => {
  const token = gateway.token({ tenant: newTenant() });
  for (const endpoint of SSE_ENDPOINTS) {
    const { headers } = await openSse(t, gateway.url + endpoint, { token });
    t.equal(headers["content-type"], "text/event-stream");
    t.equal(headers["cache-control"], "no-cache, no-transform");
    t.equal(headers["x-accel-buffering"], "no");
  }
});

t.test("the first line is retry, of 2 to 5 seconds, different between connections", async (t) => {
  const token = gateway.token({ tenant: newTenant() });
  const waits = await onBothWorkers(async () => {
    const client = await openSse(t, `${gateway.url}/stream`, { token });
    await client.next();
    t.match(client.raw(), /^retry: \d+\n/);
    client.close();
    return client.retryMs()!;
  });
  t.ok(waits.every((ms) => ms >= 2_000 && ms <= 5_000));
  t.ok(new Set(waits).size > 1);
});

t.test("connected follows, with an id and who the token speaks for", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant, user: "anna" });
  for (const [endpoint, stream] of [
    ["/stream", {}],
    ["/stream/orders", { stream: "orders" }],
    ["/stream/notifications", { stream: "notifications" }],
  ] as const) {
    const client = await openSse(t, gateway.url + endpoint, { token });
    const { event, id, data } = await client.next();
    t.equal(event, "connected");
    t.match(id, /^[A-Za-z0-9._~-]{1,256}$/);
    const { timestamp, ...rest } = JSON.parse(data);
    t.same(rest, { tenant_id: tenant, user_id: "anna", ...stream }, endpoint);
    t.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
    t.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000);
  }
});

t.test("an event is its type, its id and its payload on one line", async (t) => {
  const tenant = newTenant();
  const client = await openSse(t, `${gateway.url}/stream`, { token: gateway.token({ tenant }) });
  await client.next();
  for (const place of PLACES) {
    const start = client.raw().length;
    await addEvent(redis, { event_type: "order_created", tenant_id: tenant, payload: { a: [1, "x\ny"] } }, place);
    const { id } = await client.next();
    const [event, ...others] = client.raw().slice(start).trimEnd().split("\n").sort();
    t.equal(event, 'data: {"a":[1,"x\\ny"]}');
    t.same(others, ["event: order_created", `id: ${id}`]);
  }
});

t.test("a payload written on many lines arrives on one", async (t) => {
  const tenant = newTenant();
  const client = await openSse(t, `${gateway.url}/stream`, { token: gateway.token({ tenant }) });
  await client.next();
  const payloads = ['{\n"a":\r\n1,\r"b":[\n\n]}', "\n\r\n[1]\r\r\n", '{"a":"\\r\\n\\n"}', '"\u2028\u2029\u0085"'];
  for (const payload of payloads) {
    await addEntry(redis, sharedKey("orders"), ["event_type", "order", "tenant_id", tenant, "payload", payload]);
    const { data } = await client.next();
    t.same(JSON.parse(data), JSON.parse(payload));
  }
});

t.test("an event type with line ends puts nothing into the stream", async (t) => {
  const tenant = newTenant();
  const clients = [
    await openSse(t, `${gateway.url}/stream`, { token: gateway.token({ tenant }) }),
    await openSse(t, `${gateway.url}/stream`, { token: gateway.token({ tenant }) }),
  ];
  for (const client of clients) await client.next();
  const lineEnds = ["\n", "\r", "\r\n", "\n\n", "\r\r"];
  for (const place of PLACES) {
    for (const end of lineEnds) {
      const event_type = `order${end}data: "injected"${end}event: injected${end}id: injected${end}retry: 1`;
      await addEvent(redis, { event_type, tenant_id: tenant, payload: 1 }, place);
    }
    await addEvent(redis, { event_type: "marker", tenant_id: tenant, payload: "marker" }, place);
  }
  for (const client of clients) {
    let markers = 0;
    while (markers < PLACES.length) {
      // The client reads strictly: a line that is none of the protocol's ends it.
      const { event, data, id } = await client.next();
      t.not(event, "injected");
      t.not(id, "injected");
      t.not(data, '"injected"');
      if (event === "marker") markers++;
    }
    t.not(client.retryMs(), 1);
  }
});

t.test("an event type keeps its spaces, colons and letters of other scripts", async (t) => {
  const tenant = newTenant();
  const client = await openSse(t, `${gateway.url}/stream`, { token: gateway.token({ tenant }) });
  await client.next();
  for (const event_type of ["a: b", " leading", "trailing ", ":colon", "größe.注文", "data"]) {
    await addEvent(redis, { event_type, tenant_id: tenant, payload: 1 });
    t.equal((await client.next()).event, event_type);
  }
});

t.test("ids differ from event to event and fit into a header", async (t) => {
  const tenant = newTenant();
  const client = await openSse(t, `${gateway.url}/stream`, { token: gateway.token({ tenant }) });
  const ids = [(await client.next()).id];
  for (let n = 0; n < 50; n++) {
    const topic = (["orders", "notifications", "system"] as const)[n % 3]!;
    await addEvent(redis, { topic, tenant_id: tenant, payload: n }, PLACES[n % PLACES.length]!);
    ids.push((await client.next()).id);
  }
  t.equal(new Set(ids).size, ids.length);
  for (const id of ids) t.match(id, /^[A-Za-z0-9._~-]{1,256}$/);
});
