import type { Redis } from "ioredis";
import t from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { startGateway } from "../support/gateway.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { until } from "../support/until.ts";
import { statusOf } from "../support/workers.ts";
import { addEvent, PLACES, sharedKey } from "../support/xadd.ts";

t.test("gateways on one Redis deliver everything each, and leave alone what a killed one left behind", async (t) => {
  const { server, redis, gateway: first } = await startJourney(t);
  const second = await startGateway(t, { redis: server, secret: first.secret });
  const tenant = newTenant();
  const token = first.token({ tenant });
  const open = (gateway: typeof first) =>
    Promise.all(ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token })));
  const [ofFirst, ofSecond] = [await open(first), await open(second)];

  for (const place of PLACES) await addEvent(redis, { tenant_id: tenant, payload: "both" }, place);
  for (const follower of [...ofFirst, ...ofSecond]) {
    const items = await follower.take(PLACES.length);
    t.ok(
      items.every(({ data }) => data === "both"),
      follower.endpoint,
    );
  }

  const [killed, alive] = [(await statusOf(first)).group, (await statusOf(second)).group];
  process.kill(-first.process.pid!, "SIGKILL");
  await until("its death", () => first.process.signalCode !== null);
  await addEvent(redis, { tenant_id: tenant, payload: "one" });
  for (const follower of ofSecond) t.equal((await follower.next()).data, "one");
  for (const { endpoint, position } of ofFirst) {
    const again = await follow(t, second, endpoint, { token, lastEventId: position() });
    t.equal((await again.next()).data, "one", `${endpoint}: a cursor of the killed one`);
  }
  t.strictSame(await groupsOf(redis), [killed, alive].sort());

  t.equal(await second.stop(), 0);
  t.strictSame(await groupsOf(redis), [killed], "for an hour, until some gateway removes it");
  t.strictSame(await redis.keys(`${alive}*`), []);
});

async function groupsOf(redis: Redis): Promise<string[]> {
  const groups = (await redis.xinfo("GROUPS", sharedKey("orders"))) as unknown[][];
  return groups.map((fields) => String(fields[fields.indexOf("name") + 1])).sort();
}
