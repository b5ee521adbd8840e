import t from "tap";
import { follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { openSse } from "../support/sse-client.ts";
import { until } from "../support/until.ts";
import { openWs } from "../support/ws-client.ts";
import { addEvent, PLACES } from "../support/xadd.ts";

/** 40 MB: far more than the buffers of the sockets and of the gateway hold. */
const EVENTS = 400;
const TEXT = "x".repeat(100_000);

t.test("a client that stops reading for a while gets everything in order", async (t) => {
  const { redis, gateway } = await startJourney(t, { RAGLINE_MAX_BUFFERED_BYTES: "65536" });
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const sse = await openSse(t, `${gateway.url}/stream`, { token });
  const ws = await openWs(t, `${gateway.url}/ws`, { token });
  const fast = await follow(t, gateway, "/stream", { token });
  await sse.next();
  await ws.next();
  sse.pause();
  ws.pause();
  for (let n = 0; n < EVENTS; n++) await addEvent(redis, { tenant_id: tenant, payload: { n, TEXT } }, PLACES[1]);
  const ofFast = await fast.take(EVENTS, 60_000);
  t.ok(
    ofFast.every(({ data }, index) => (data as { n: number }).n === index),
    "the fast one is not held up",
  );

  sse.resume();
  ws.resume();
  const ofSse = await sse.inbox.take(EVENTS, undefined, 60_000);
  const ofWs = await ws.inbox.take(EVENTS, undefined, 60_000);
  const expected = Array.from({ length: EVENTS }, (_, n) => n);
  t.same(
    ofSse.map(({ data }) => JSON.parse(data).n),
    expected,
    "the slow event stream got all of it in order",
  );
  t.same(
    ofWs.map(({ data }) => (data as { n: number }).n),
    expected,
    "and so did the slow WebSocket",
  );
  await addEvent(redis, { tenant_id: tenant, payload: "live" }, PLACES[1]);
  t.equal(JSON.parse((await sse.next()).data), "live");
  t.equal((await ws.next()).data, "live");
});

t.test("a client that takes nothing any more is closed as slow", async (t) => {
  const { redis, gateway } = await startJourney(t, {
    RAGLINE_MAX_BUFFERED_BYTES: "65536",
    RAGLINE_STALL_SECONDS: "2",
  });
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const sse = await openSse(t, `${gateway.url}/stream`, { token });
  const ws = await openWs(t, `${gateway.url}/ws`, { token });
  const fast = await follow(t, gateway, "/ws", { token });
  await sse.next();
  await ws.next();
  sse.pause();
  ws.pause();
  for (let n = 0; n < EVENTS; n++) await addEvent(redis, { tenant_id: tenant, payload: { n, TEXT } }, PLACES[1]);
  t.equal((await fast.take(EVENTS, 60_000)).length, EVENTS);

  const admin = await openWs(t, `${gateway.url}/ws`, { token });
  await admin.next();
  await until("only the readers are left", async () => {
    admin.send({ type: "get_stats" });
    const { data } = await admin.next(({ type }) => type === "stats");
    const { websocket_stats, sse_stats } = data as Record<string, { total_connections: number }>;
    return websocket_stats!.total_connections === 2 && sse_stats!.total_connections === 0;
  });
  sse.resume();
  ws.resume();
  t.match((await ws.closed).code, /^(4408|1006)$/, "4408 if it still reads, else the TCP connection is cut");
  await sse.closed;

  const lastEventId = ws.inbox.items.at(-1)!.id!;
  const seen = ws.inbox.items.length - 1;
  const again = await follow(t, gateway, "/ws", { token, lastEventId });
  const rest = await again.take(EVENTS - seen, 60_000);
  t.ok(
    rest.every(({ data }, index) => (data as { n: number }).n === seen + index),
    "it resumes without a loss",
  );
});
