import t from "tap";
import { follow } from "../support/follow.ts";
import { startGateway } from "../support/gateway.ts";
import { connectToRedis, newTenant } from "../support/journey.ts";
import { startTestRedis } from "../support/redis.ts";
import { request } from "../support/request.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { addEvent, PLACES } from "../support/xadd.ts";

t.test("while Redis cannot be reached clients stay, publishing is unavailable, and nothing is lost", async (t) => {
  const server = await startTestRedis(t);
  const redis = connectToRedis(t, server);
  const network = await startTcpProxy(t, server.port);
  const gateway = await startGateway(t, { redis: { url: `redis://127.0.0.1:${network.port}/0` } });
  const tenant = newTenant();
  const token = gateway.token({ tenant, roles: ["publisher"] });
  const followers = [await follow(t, gateway, "/stream", { token }), await follow(t, gateway, "/ws", { token })];
  for (const place of PLACES) await addEvent(redis, { tenant_id: tenant, payload: "before" }, place);
  for (const follower of followers) await follower.take(PLACES.length);

  network.cut(true);
  const body = { topic: "orders", event_type: "order_created", payload: "published" };
  const publish = () => request(`${gateway.url}/publish`, { method: "POST", token, body });
  const refused = await until("publishing to be refused", async () => {
    const answer = await publish();
    return answer.status !== 202 && answer;
  });
  t.equal(refused.status, 503);
  t.match(refused.json, { error: { code: "unavailable", message: String } });
  t.match(refused.headers["retry-after"], /^\d+$/);
  const unhealthy = await until("health to say so", async () => {
    const answer = await request(`${gateway.url}/health`);
    return answer.status !== 200 && answer;
  });
  t.equal(unhealthy.status, 503);
  t.ok(unhealthy.text.length > 2, `health says what is wrong: ${unhealthy.text}`);
  for (const place of PLACES) await addEvent(redis, { tenant_id: tenant, payload: "meanwhile" }, place);

  network.accept();
  for (const follower of followers) {
    const items = await follower.take(PLACES.length, 30_000);
    t.same(
      items.map(({ kind, data }) => [kind, data]),
      PLACES.map(() => ["event", "meanwhile"]),
      `${follower.endpoint} stayed connected and got what was added`,
    );
  }
  await until("health 200 again", async () => (await request(`${gateway.url}/health`)).status === 200);
  t.equal(
    (
      await until("to publish again", async () => {
        const answer = await publish();
        return answer.status === 202 && answer;
      })
    ).status,
    202,
  );
  for (const follower of followers) t.equal((await follower.next()).data, "published");
});

t.test("after Redis was restarted empty clients go on getting events", async (t) => {
  const server = await startTestRedis(t);
  const gateway = await startGateway(t, { redis: server });
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const followers = [await follow(t, gateway, "/stream", { token }), await follow(t, gateway, "/ws", { token })];
  await addEvent(connectToRedis(t, server), { tenant_id: tenant, payload: "before" });
  for (const follower of followers) t.equal((await follower.next()).data, "before");
  await server.kill();
  const anew = await startTestRedis(t, { port: server.port });
  const redis = connectToRedis(t, anew);
  for (const place of PLACES) await addEvent(redis, { tenant_id: tenant, payload: "after" }, place);
  for (const follower of followers) {
    const events = await follower.inbox.take(PLACES.length, ({ kind }) => kind === "event", 40_000);
    t.same(
      events.map(({ data }) => data),
      PLACES.map(() => "after"),
      follower.endpoint,
    );
  }
});
