import t from "tap";
import { follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { until } from "../support/until.ts";
import { joinedWorkers, statusOf } from "../support/workers.ts";
import { addEvent, PLACES, partitionKey, sharedKey } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

t.test("the status says who reads which stream and how far, and who has which connections", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  await onBothWorkers((i) => follow(t, gateway, i % 2 === 0 ? "/stream" : "/ws", { token }));
  const ids = new Map<string, string>();
  ids.set(sharedKey("orders"), await addEvent(redis, { tenant_id: tenant, payload: 1 }, PLACES[0]));
  ids.set(partitionKey("orders", tenant), await addEvent(redis, { tenant_id: tenant, payload: 2 }, PLACES[1]));

  const status = await until("the positions", async () => {
    const now = await statusOf(gateway);
    const arrived = [...ids].every(([key, id]) => now.streams.find((s) => s.key === key)?.position === id);
    return arrived && now;
  });
  const [first, second] = status.workers;
  t.equal(status.streams.length, 3 * 17, "a shared stream and 16 partitions of three topics");
  t.ok(Math.abs(first!.units.length - second!.units.length) <= 1);
  for (const { key, owner, lag, lag_seconds } of status.streams) {
    t.match({ owner, lag, lag_seconds }, { owner: /^[12]$/, lag: 0, lag_seconds: 0 }, key);
  }
  const connected = await until("the connections", async () => {
    const counts = (await joinedWorkers(gateway)).map(({ connections }) => connections);
    return counts.reduce((sum, { sse, websocket }) => sum + sse + websocket, 0) === 32 && counts;
  });
  t.ok(
    connected.every(({ sse, websocket }) => sse + websocket > 0),
    "both workers have some",
  );
});
