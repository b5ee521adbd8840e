import t, { type Test } from "tap";
import { SSE_ENDPOINTS, WS_ENDPOINTS } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { type Answer, type RequestOptions, request } from "../support/request.ts";
import { openSse } from "../support/sse-client.ts";
import { openWs, UpgradeRefused } from "../support/ws-client.ts";

const ALLOWED = ["http://localhost:3000", "http://localhost:8080"];
const REFUSED = [
  "http://localhost:3001",
  "https://localhost:3000",
  "http://localhost",
  "http://localhost:3000.evil.example",
  "http://evil.example/http://localhost:3000",
  "http://evil.example",
  "null",
];
const EVENT = { topic: "orders", event_type: "order_created", payload: {} };

const { gateway } = await startJourney(t);
const open = (await startJourney(t, { CORS_ORIGINS: "*" })).gateway;

const token = () => gateway.token({ tenant: newTenant(), roles: ["publisher"] });

function publish(origin: string, more: RequestOptions = {}): Promise<Answer> {
  const headers = { origin, ...more.headers };
  return request(`${gateway.url}/publish`, { method: "POST", token: token(), body: EVENT, ...more, headers });
}

function readable(t: Test, headers: Answer["headers"], origin: string): void {
  t.equal(headers["access-control-allow-origin"], origin);
  t.match(headers.vary, /\borigin\b/i, "caches keep the origins apart");
}

t.test("an allowed origin may read event streams, statistics and answers to publish", async (t) => {
  for (const origin of ALLOWED) {
    for (const path of SSE_ENDPOINTS) {
      const { headers } = await openSse(t, gateway.url + path, { token: token(), headers: { origin } });
      readable(t, headers, origin);
    }
    const stats = await request(`${gateway.url}/ws/stats`, { token: token(), headers: { origin } });
    t.equal(stats.status, 200);
    const published = await publish(origin);
    t.equal(published.status, 202);
    readable(t, published.headers, origin);
  }
});

t.test("an allowed origin may read why it was refused", async (t) => {
  const headers = { origin: ALLOWED[0]! };
  const answers = [
    await request(`${gateway.url}/stream`, { headers }),
    await request(`${gateway.url}/publish`, { method: "POST", body: EVENT, headers }),
  ];
  for (const answer of answers) {
    t.equal(answer.status, 401);
    readable(t, answer.headers, headers.origin);
  }
});

t.test("another origin is refused on event streams, publish and WebSocket", async (t) => {
  for (const origin of REFUSED) {
    const headers = { origin };
    for (const path of SSE_ENDPOINTS) {
      const answer = await request(gateway.url + path, { token: token(), headers });
      t.equal(answer.status, 403, `${path} from ${origin}`);
      t.match(answer.json, { error: { code: "origin_forbidden", message: String } });
      t.notOk(answer.headers["access-control-allow-origin"]);
    }
    const published = await publish(origin);
    t.equal(published.status, 403, `publish from ${origin}`);
    t.match(published.json, { error: { code: "origin_forbidden" } });
    for (const path of WS_ENDPOINTS) {
      const error = await openWs(t, gateway.url + path, { token: token(), headers }).catch((error: unknown) => error);
      t.ok(error instanceof UpgradeRefused, "before the upgrade");
      t.match(error, { status: 403, body: /"code":"origin_forbidden"/ }, `${path} from ${origin}`);
    }
  }
});

t.test("an allowed origin may open a WebSocket", async (t) => {
  for (const origin of ALLOWED) {
    for (const path of WS_ENDPOINTS) {
      const client = await openWs(t, gateway.url + path, { token: token(), headers: { origin } });
      t.match(await client.next(), { type: "connected" });
    }
  }
});

t.test("what is no browser sends no origin, and is let in", async (t) => {
  const client = await openSse(t, `${gateway.url}/stream`, { token: token() });
  t.equal((await client.next()).event, "connected");
  t.match(await (await openWs(t, `${gateway.url}/ws`, { token: token() })).next(), { type: "connected" });
});

function preflight(origin: string, path: string, method: string, headers: string): Promise<Answer> {
  return request(gateway.url + path, {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": method, "access-control-request-headers": headers },
  });
}

t.test("a preflight of an allowed origin allows the method and the headers clients send", async (t) => {
  const asked = [
    ...SSE_ENDPOINTS.map((path) => ({ path, method: "GET", names: ["authorization", "last-event-id"] })),
    { path: "/publish", method: "POST", names: ["authorization", "content-type"] },
    { path: "/ws/stats", method: "GET", names: ["authorization"] },
  ];
  for (const { path, method, names } of asked) {
    const { status, headers, text } = await preflight(ALLOWED[0]!, path, method, names.join(","));
    t.ok(status === 204 || status === 200, `${path}: ${status}`);
    t.equal(text, "");
    readable(t, headers, ALLOWED[0]!);
    t.match(headers["access-control-allow-methods"], new RegExp(`\\b${method}\\b`));
    const allowed = String(headers["access-control-allow-headers"]).toLowerCase().split(/,\s*/);
    for (const name of names) t.ok(allowed.includes(name), `${path} allows ${name}`);
  }
});

t.test("a preflight of another origin allows nothing", async (t) => {
  for (const origin of REFUSED) {
    for (const path of ["/stream", "/publish"]) {
      const { headers } = await preflight(origin, path, path === "/publish" ? "POST" : "GET", "authorization");
      t.notOk(headers["access-control-allow-origin"], `${path} from ${origin}`);
    }
  }
});

t.test("CORS_ORIGINS=* allows every origin", async (t) => {
  const allowed = open.token({ tenant: newTenant() });
  for (const origin of ["https://anything.example", "http://localhost:3000", "null"]) {
    const { headers } = await openSse(t, `${open.url}/stream`, { token: allowed, headers: { origin } });
    t.ok(["*", origin].includes(String(headers["access-control-allow-origin"])));
    const client = await openWs(t, `${open.url}/ws`, { token: allowed, headers: { origin } });
    t.match(await client.next(), { type: "connected" });
  }
});
