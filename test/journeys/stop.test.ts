import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { startGateway } from "../support/gateway.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { request } from "../support/request.ts";
import { openSse } from "../support/sse-client.ts";
import { until } from "../support/until.ts";
import { openWs } from "../support/ws-client.ts";
import { addEvent, PLACES } from "../support/xadd.ts";

t.test("SIGTERM sends every client away with a time to come back, and exits with 0", async (t) => {
  const { gateway } = await startJourney(t);
  const token = gateway.token({ tenant: newTenant() });
  const streams = await onBothWorkers(() => openSse(t, `${gateway.url}/stream`, { token }));
  const sockets = await onBothWorkers(() => openWs(t, `${gateway.url}/ws`, { token }));
  for (const client of [...streams, ...sockets]) await client.next();
  const exit = gateway.stop();

  for (const stream of streams) {
    const { data } = await stream.next(({ event }) => event === "reconnect");
    const { reason, retry_ms } = JSON.parse(data);
    t.type(reason, "string");
    t.ok(Number.isInteger(retry_ms) && retry_ms >= 0);
    t.equal(await stream.closed, "ended");
  }
  for (const socket of sockets) {
    t.match(await socket.next(({ type }) => type === "reconnect"), { reason: String, retry_ms: Number });
    t.equal((await socket.closed).code, 1012);
  }
  t.equal(await exit, 0);
});

t.test("nothing of a stopped gateway stays in Redis, and the next one goes on from the clients' cursors", async (t) => {
  const { server, redis, gateway } = await startJourney(t);
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const followers = await Promise.all(ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token })));
  for (const place of PLACES) await addEvent(redis, { tenant_id: tenant, payload: "before" }, place);
  for (const follower of followers) await follower.take(PLACES.length);
  t.equal(await gateway.stop(), 0);

  const streams = await redis.keys("ragline:stream:*");
  t.ok(streams.length > 0);
  for (const key of streams) t.same(await redis.xinfo("GROUPS", key), [], `${key} has no group`);
  t.same(await redis.keys("*ragline-gateway*"), [], "no key says that it is alive");

  for (const place of PLACES) await addEvent(redis, { tenant_id: tenant, payload: "between" }, place);
  const anew = await startGateway(t, { redis: server, secret: gateway.secret });
  for (const { endpoint, position } of followers) {
    const again = await follow(t, anew, endpoint, { token, lastEventId: position() });
    const items = await again.take(PLACES.length);
    t.same(
      items.map(({ data }) => data),
      PLACES.map(() => "between"),
      endpoint,
    );
  }
});

t.test("while it drains, new connections are told that it is going away or are not taken", async (t) => {
  const { gateway } = await startJourney(t, { RAGLINE_DRAIN_SECONDS: "5" });
  const token = gateway.token({ tenant: newTenant() });
  const clients = await onBothWorkers(() => openWs(t, `${gateway.url}/ws`, { token }));
  for (const client of clients) await client.next();
  const exit = gateway.stop();
  await clients[0]!.next(({ type }) => type === "reconnect");
  // A worker that has not heard of the stop yet may take the connection, and then sends it away as well.
  const refused = await until("to be refused", async () => {
    const answer = await request(`${gateway.url}/stream`, { token }).catch(() => undefined);
    if (answer?.status === 200) t.match(answer.text, /^event: reconnect$/m);
    return answer?.status === 200 ? false : (answer?.json ?? "not taken");
  });
  if (refused !== "not taken") t.match(refused, { error: { code: "going_away" } });
  t.equal(await exit, 0);
});

t.test("a stop without any client is a matter of a moment, and exits with 0", async (t) => {
  const { gateway } = await startJourney(t, { RAGLINE_DRAIN_SECONDS: "60" });
  t.equal(await gateway.stop(), 0);
});

t.test("a gateway that is told to stop before Redis was there exits with 0", async (t) => {
  const { server, gateway } = await startJourney(t);
  await server.kill();
  t.equal(await gateway.stop(), 0);
});
