import t from "tap";
import { SSE_ENDPOINTS, WS_ENDPOINTS } from "../support/follow.ts";
import { forgeToken, inSeconds } from "../support/forge-token.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { request } from "../support/request.ts";
import { openWs, UpgradeRefused } from "../support/ws-client.ts";

const { gateway } = await startJourney(t);

const expired = () => gateway.watch(forgeToken(gateway.secret, { tenant_id: "a", user_id: "u", exp: inSeconds(-60) }));
const REFUSED = [
  { code: "auth_required", token: undefined, message: "Authentication required", close: 1008 },
  { code: "token_invalid", token: "nonsense", message: "Invalid token", close: 1008 },
  { code: "token_expired", token: expired(), message: String, close: 4401 },
];

for (const { code, token, message, close } of REFUSED) {
  t.test(`${code} is a 401 with a Bearer challenge over HTTP`, async (t) => {
    const requests = [...SSE_ENDPOINTS, "/ws/stats"].map((path) => ({ path, method: "GET" }));
    for (const { path, method } of [...requests, { path: "/publish", method: "POST" }]) {
      const body = method === "POST" ? { body: {} } : {};
      const answer = await request(gateway.url + path, { method, ...body, ...(token !== undefined && { token }) });
      t.equal(answer.status, 401, path);
      t.match(answer.headers["www-authenticate"], /^Bearer\b/);
      t.match(answer.headers["content-type"], /^application\/json\b/);
      t.match(answer.json, { error: { code, message } });
      t.same(Object.keys(answer.json as object), ["error"]);
      t.same(Object.keys((answer.json as { error: object }).error).sort(), ["code", "message"]);
    }
  });

  t.test(`${code} on WebSocket is accepted first, said, and then closed with ${close}`, async (t) => {
    for (const path of WS_ENDPOINTS) {
      for (const protocol of ["ragline.json.v1", "ragline.msgpack.v1"]) {
        const options = { protocols: [protocol], ...(token !== undefined && { token }) };
        const client = await openWs(t, gateway.url + path, options);
        t.equal(client.protocol, protocol);
        const said = await client.next();
        t.match(said, { type: "error", code, message });
        t.same(Object.keys(said).sort(), ["code", "message", "type"]);
        t.equal((await client.closed).code, close);
        t.equal(client.inbox.items.length, 1, "and nothing else was said");
      }
    }
  });
}

t.test("an unknown path is not found", async (t) => {
  const token = gateway.token({ tenant: newTenant() });
  for (const path of [
    "/",
    "/nope",
    "/stream/",
    "/stream/unknown",
    "/streams",
    "/ws/nope",
    "/metrics",
    "/status",
    "/%2e%2e",
  ]) {
    const answer = await request(gateway.url + path, { token });
    t.equal(answer.status, 404, path);
    t.match(answer.json, { error: { code: "not_found", message: String } });
  }
});

t.test("an upgrade on an unknown path is not found", async (t) => {
  const token = gateway.token({ tenant: newTenant() });
  for (const path of ["/nope", "/ws/nope", "/ws/stats"]) {
    const error = await openWs(t, gateway.url + path, { token }).catch((error: unknown) => error);
    t.ok(error instanceof UpgradeRefused, `${path}: ${error}`);
    t.match((error as UpgradeRefused).status, path === "/ws/stats" ? /^(4\d\d|200)$/ : 404, path);
  }
});

t.test("another method is not allowed, and the answer names those that are", async (t) => {
  const token = gateway.token({ tenant: newTenant(), roles: ["publisher"] });
  const ALLOWED = {
    "/stream": "GET",
    "/stream/orders": "GET",
    "/stream/notifications": "GET",
    "/ws/stats": "GET",
    "/health": "GET",
    "/publish": "POST",
  };
  for (const [path, allowed] of Object.entries(ALLOWED)) {
    for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"].filter((method) => method !== allowed)) {
      const answer = await request(gateway.url + path, { method, token, ...(method !== "GET" && { body: {} }) });
      t.equal(answer.status, 405, `${method} ${path}`);
      t.match(answer.json, { error: { code: "method_not_allowed", message: String } });
      const allow = String(answer.headers.allow).split(/,\s*/);
      t.ok(allow.includes(allowed) && !allow.includes(method), `${method} ${path} allows ${allow}`);
    }
  }
});

t.test("health needs no token", async (t) => {
  const answer = await request(`${gateway.url}/health`);
  t.equal(answer.status, 200);
  t.same(answer.json, { status: "healthy" });
});

t.test("a refusal never repeats the token", async (t) => {
  const token = gateway.watch(forgeToken("wrong".repeat(10), { tenant_id: "a", user_id: "u", exp: inSeconds(60) }));
  for (const path of [`/stream?token=${token}`, `/nope?token=${token}`, `/ws/stats?access_token=${token}`]) {
    const { text, headers } = await request(gateway.url + path, { token });
    t.notOk(text.includes(token) || JSON.stringify(headers).includes(token), path.slice(0, 10));
  }
});
