import t, { type Test } from "tap";
import { ENDPOINTS, follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { openSse } from "../support/sse-client.ts";
import { openWs } from "../support/ws-client.ts";
import { addEvent } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

const SLACK_MS = 10_000;
/** Of the first two heartbeats of a connection; the second is awaited only where it comes within a minute. */
interface Beats {
  readonly id: string | undefined;
  readonly waits: readonly number[];
  readonly messages: readonly unknown[];
}

const SECONDS = { "/stream": 30, "/stream/orders": 45, "/stream/notifications": 60, "/ws": 30, "/ws/orders": 45 };

async function beatsOf(t: Test, endpoint: keyof typeof SECONDS, token: string): Promise<Beats> {
  const [waits, messages]: [number[], unknown[]] = [[], []];
  let id: string | undefined;
  const beats = endpoint === "/stream" || endpoint === "/ws" ? 2 : 1;
  const limit = SECONDS[endpoint] * 1000 + SLACK_MS;
  if (endpoint.startsWith("/stream")) {
    const client = await openSse(t, gateway.url + endpoint, { token });
    await client.next();
    for (let beat = 0; beat < beats; beat++) {
      const start = performance.now();
      const { event, data, ...rest } = await client.next(undefined, limit);
      waits.push(performance.now() - start);
      id = rest.id;
      t.equal(event, "heartbeat", endpoint);
      messages.push(JSON.parse(data));
    }
    client.close();
  } else {
    const client = await openWs(t, gateway.url + endpoint, { token });
    await client.next();
    for (let beat = 0; beat < beats; beat++) {
      const start = performance.now();
      const { id: position, ...message } = await client.next(undefined, limit);
      waits.push(performance.now() - start);
      id = position;
      messages.push(message);
    }
    client.terminate();
  }
  return { id, waits, messages };
}

const EXPECTED = {
  "/stream": {},
  "/stream/orders": { stream: "orders" },
  "/stream/notifications": { stream: "notifications" },
  "/ws": { type: "ping" },
  "/ws/orders": { type: "heartbeat", stream: "orders" },
};

t.test("every endpoint sends its heartbeat in its rhythm, with an id to resume from", async (t) => {
  await Promise.all(
    ENDPOINTS.map(async (endpoint) => {
      const tenant = newTenant();
      const token = gateway.token({ tenant });
      const { id, waits, messages } = await beatsOf(t, endpoint, token);
      const whose = endpoint.startsWith("/stream") ? { tenant_id: tenant } : {};
      for (const message of messages) {
        const { timestamp, ...rest } = message as Record<string, unknown>;
        t.same(rest, { ...whose, ...EXPECTED[endpoint] }, endpoint);
        t.notOk(Number.isNaN(Date.parse(String(timestamp))));
      }
      t.ok(waits[0]! <= SECONDS[endpoint] * 1000 + SLACK_MS, `${endpoint} waited ${waits[0]} ms`);
      if (waits[1]) t.ok(Math.abs(waits[1] - SECONDS[endpoint] * 1000) <= SLACK_MS, `and then ${waits[1]} ms`);

      t.match(id, /^[A-Za-z0-9._~-]{1,256}$/);
      await addEvent(redis, { tenant_id: tenant, payload: endpoint });
      const again = await follow(t, gateway, endpoint, { token, lastEventId: id! });
      t.match(await again.next(), { kind: "event", data: endpoint }, "and resumes from it");
    }),
  );
});
