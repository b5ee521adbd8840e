import { fileURLToPath } from "node:url";
import t from "tap";
import { follow } from "../support/follow.ts";
import { freePort } from "../support/free-port.ts";
import { startGateway } from "../support/gateway.ts";
import { connectToRedis, newTenant } from "../support/journey.ts";
import { launch } from "../support/launch.ts";
import { startTestRedis } from "../support/redis.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { addEvent } from "../support/xadd.ts";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const SECRET = "a secret of the test that is long enough";

async function refusedStart(env: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> {
  const { exited, output } = launch([MAIN], env);
  return { code: await exited, output: output() };
}

t.test(
  "every problem of the settings is listed in one error, the exit code is 78, and nothing is started",
  async (t) => {
    const port = await freePort();
    const wrong = {
      JWT_SECRET_KEY: "too-short-to-be-secret",
      ADMIN_PORT: "ninety",
      RAGLINE_WORKERS: "0",
      RAGLINE_PARTITIONS: "1025",
      REDIS_URL: "http://127.0.0.1:6379",
      REDIS_MODE: "guess",
      JWT_ALGORITHMS: "none",
      CORS_ORIGINS: "localhost",
      RAGLINE_TLS_CERT_FILE: "/nowhere/cert.pem",
      LOG_LEVEL: "loud",
    };
    const { code, output } = await refusedStart({ ...wrong, PORT: String(port) });
    t.equal(code, 78);
    for (const name of Object.keys(wrong)) t.ok(output.includes(name), `${name} is listed`);
    t.notOk(output.includes(wrong.JWT_SECRET_KEY), "the secret is not repeated");
    await t.rejects(request(`http://127.0.0.1:${port}/health`));
  },
);

t.test("the sample secret of the old service, a short one, or none at all, is refused", async (t) => {
  for (const secret of ["your-secret-key-change-in-production", "x".repeat(31), ""]) {
    const { code, output } = await refusedStart({ JWT_SECRET_KEY: secret });
    t.equal(code, 78);
    t.match(output, /JWT_SECRET_KEY/);
    t.notOk(secret !== "" && output.includes(secret));
  }
});

t.test("HMAC and public-key algorithms cannot be mixed", async (t) => {
  const { code, output } = await refusedStart({ JWT_SECRET_KEY: SECRET, JWT_ALGORITHMS: "HS256,RS256" });
  t.equal(code, 78);
  t.match(output, /JWT_ALGORITHMS/);
});

t.test(
  "started before Redis the gateway is not healthy, keeps trying, and is healthy once Redis is there",
  async (t) => {
    const port = await freePort();
    const gateway = await startGateway(t, { redis: { url: `redis://127.0.0.1:${port}/0` }, unawaited: true });
    const health = () => request(`${gateway.url}/health`).catch(() => undefined);
    const unhealthy = await until("an answer", health);
    t.equal(unhealthy.status, 503);
    t.ok(typeof unhealthy.json === "object", `it says what is wrong: ${unhealthy.text}`);
    t.equal((await request(`${gateway.adminUrl}/health/ready`)).status, 503);
    t.equal((await request(`${gateway.adminUrl}/health/live`)).status, 200);

    const redis = connectToRedis(t, await startTestRedis(t, { port }));
    await until("health 200", async () => (await health())?.status === 200, 30_000);
    await until("ready", async () => (await request(`${gateway.adminUrl}/health/ready`)).status === 200, 30_000);
    const tenant = newTenant();
    const follower = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }) });
    await addEvent(redis, { tenant_id: tenant, payload: "delivered" });
    t.equal((await follower.next()).data, "delivered");
  },
);

t.test("a path prefix stands before every public path", async (t) => {
  const server = await startTestRedis(t);
  const redis = connectToRedis(t, server);
  const gateway = await startGateway(t, {
    redis: server,
    env: { RAGLINE_PATH_PREFIX: "/v1/events" },
    unawaited: true,
  });
  await until("health 200", async () => {
    const answer = await request(`${gateway.url}/v1/events/health`).catch(() => undefined);
    return answer?.status === 200;
  });
  t.equal((await request(`${gateway.url}/stream`, { token: gateway.token({ tenant: "a" }) })).status, 404);
  const tenant = newTenant();
  const prefixed = { ...gateway, url: `${gateway.url}/v1/events` };
  for (const endpoint of ["/stream", "/ws", "/ws/orders"] as const) {
    const follower = await follow(t, prefixed, endpoint, { token: gateway.token({ tenant }) });
    await addEvent(redis, { tenant_id: tenant, payload: endpoint });
    t.equal((await follower.next()).data, endpoint);
  }
});
