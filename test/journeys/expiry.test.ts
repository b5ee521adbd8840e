import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { openSse } from "../support/sse-client.ts";
import { openWs } from "../support/ws-client.ts";
import { addEvent } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t, { JWT_CLOCK_TOLERANCE: "0" });

t.test("a connection ends when its token expires, and says so", async (t) => {
  const token = gateway.token({ tenant: newTenant(), ttl: 4 });
  const ends = ENDPOINTS.map(async (endpoint) => {
    if (endpoint.startsWith("/ws")) {
      const client = await openWs(t, gateway.url + endpoint, { token });
      t.match(await client.next(({ type }) => type === "error"), { code: "token_expired", message: String });
      t.match(await client.closed, { code: 4401 });
    } else {
      const client = await openSse(t, gateway.url + endpoint, { token });
      const { data } = await client.next(({ event }) => event === "error");
      t.match(JSON.parse(data), { code: "token_expired", message: String });
      t.equal(await client.closed, "ended");
    }
  });
  await Promise.all(ends);
});

t.test("with a new token it resumes where the old one ended", async (t) => {
  const tenant = newTenant();
  const first = await follow(t, gateway, "/ws", { token: gateway.token({ tenant, ttl: 5 }) });
  await addEvent(redis, { tenant_id: tenant, payload: "before" });
  t.equal((await first.next()).data, "before");
  const lastEventId = first.position();
  t.match(await first.next(), { type: "error" });
  await addEvent(redis, { tenant_id: tenant, payload: "between" });
  const second = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }), lastEventId });
  t.equal((await second.next()).data, "between");
});
