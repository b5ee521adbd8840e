import t, { type Test } from "tap";
import { runCommand } from "../support/cli.ts";
import { ENDPOINTS, type Follower, follow } from "../support/follow.ts";
import { forgeToken, inSeconds } from "../support/forge-token.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { request } from "../support/request.ts";
import { openSse } from "../support/sse-client.ts";
import { until } from "../support/until.ts";
import { openWs } from "../support/ws-client.ts";
import { addEvent } from "../support/xadd.ts";

const { server, redis, gateway } = await startJourney(t);
const second = await startGateway(t, { redis: server, secret: gateway.secret });
const gateways = [gateway, second];

async function revoke(t: Test, args: readonly string[]): Promise<void> {
  const { exited, output } = runCommand(t, ["revoke", ...args], { REDIS_URL: server.url });
  t.equal(await exited, 0, output());
}

function tokenWith(claims: { tenant: string; user?: string; jti?: string }): string {
  const { tenant: tenant_id, user: user_id = "anna", ...rest } = claims;
  const token = forgeToken(gateway.secret, { tenant_id, user_id, exp: inSeconds(3600), roles: ["publisher"], ...rest });
  for (const each of gateways) each.watch(token);
  return token;
}

/** Connections of each kind on both workers of both gateways. */
async function everywhere(t: Test, token: string): Promise<Follower[]> {
  const opening = gateways.flatMap((each) =>
    (["/stream", "/ws"] as const).map((endpoint) => onBothWorkers(() => follow(t, each, endpoint, { token }))),
  );
  return (await Promise.all(opening)).flat();
}

/** Resolves once no worker of any gateway takes the token any more. */
async function heardEverywhere(token: string): Promise<void> {
  for (const { url } of gateways) {
    await until("every worker to have heard", async () => {
      const answers = await onBothWorkers(() => request(`${url}/ws/stats`, { token }));
      return answers.every(({ status }) => status === 401);
    });
  }
}

async function endsRevoked(t: Test, followers: readonly Follower[]): Promise<void> {
  const ends = await Promise.all(followers.map((follower) => follower.next()));
  t.ok(ends.every(({ type }) => type === "error"));
  t.ok(ends.every(({ data }) => (data as { code: string }).code === "revoked"));
}

async function livesOn(t: Test, followers: readonly Follower[], tenant: string): Promise<void> {
  await addEvent(redis, { tenant_id: tenant, payload: "still here" });
  const items = await Promise.all(followers.map((follower) => follower.next()));
  t.ok(items.every(({ data }) => data === "still here"));
}

async function isRefused(t: Test, gateway: Gateway, token: string): Promise<void> {
  for (const path of ["/stream", "/ws/stats"]) {
    const answer = await request(gateway.url + path, { token });
    t.equal(answer.status, 401, path);
    t.match(answer.headers["www-authenticate"], /^Bearer/);
    t.match(answer.json, { error: { code: "revoked", message: String } });
  }
  const event = { topic: "orders", event_type: "order_created", payload: 1 };
  const published = await request(`${gateway.url}/publish`, { method: "POST", token, body: event });
  t.match(published.json, { error: { code: "revoked" } });
  const client = await openWs(t, `${gateway.url}/ws`, { token });
  t.match(await client.next(), { type: "error", code: "revoked" });
  t.equal((await client.closed).code, 4403);
}

t.test("a user's connections end on every worker and gateway, and new ones are refused", async (t) => {
  const tenant = newTenant();
  const [anna, bert] = [tokenWith({ tenant }), tokenWith({ tenant, user: "bert" })];
  const namesake = tokenWith({ tenant: newTenant() });
  const theirs = await everywhere(t, anna);
  const others = [
    await follow(t, gateway, "/ws", { token: bert }),
    await follow(t, second, "/stream", { token: bert }),
  ];
  await revoke(t, ["--tenant", tenant, "--user", "anna"]);
  await endsRevoked(t, theirs);
  for (const each of gateways) await isRefused(t, each, anna);
  await isRefused(t, gateway, tokenWith({ tenant, jti: "a new token of the same user" }));
  await livesOn(t, others, tenant);
  await follow(t, gateway, "/stream", { token: namesake });
});

t.test("every endpoint says so: an event of SSE, close 4403 of WebSocket", async (t) => {
  const tenant = newTenant();
  const token = tokenWith({ tenant });
  const ends = ENDPOINTS.map(async (endpoint) => {
    if (endpoint.startsWith("/ws")) {
      const client = await openWs(t, gateway.url + endpoint, { token });
      return { connected: await client.next(), end: () => client.closed.then(({ code }) => code) };
    }
    const client = await openSse(t, gateway.url + endpoint, { token });
    return {
      connected: await client.next(),
      end: async () => {
        t.match(JSON.parse((await client.next(({ event }) => event === "error")).data), { code: "revoked" });
        return client.closed;
      },
    };
  });
  const open = await Promise.all(ends);
  await revoke(t, ["--tenant", tenant]);
  t.same(await Promise.all(open.map(({ end }) => end())), ["ended", "ended", "ended", 4403, 4403]);
});

t.test("one token is revoked by its jti, and the user's other token is not", async (t) => {
  const tenant = newTenant();
  const [lost, kept] = [tokenWith({ tenant, jti: "lost" }), tokenWith({ tenant, jti: "kept" })];
  const [one, other] = [
    await follow(t, gateway, "/ws", { token: lost }),
    await follow(t, second, "/ws", { token: kept }),
  ];
  await revoke(t, ["--tenant", tenant, "--jti", "lost", "--for", "60"]);
  await endsRevoked(t, [one]);
  await heardEverywhere(lost);
  await isRefused(t, second, lost);
  await livesOn(t, [other], tenant);
});

t.test("a connection goes by the token it was refreshed with", async (t) => {
  const tenant = newTenant();
  const [old, fresh] = [tokenWith({ tenant, jti: "old" }), tokenWith({ tenant, jti: "fresh" })];
  const client = await openWs(t, `${gateway.url}/ws`, { token: old });
  await client.next();
  client.send({ type: "refresh", token: fresh });
  t.match(await client.next(), { type: "refreshed" });
  await revoke(t, ["--tenant", tenant, "--jti", "old"]);
  await heardEverywhere(old);
  client.send({ type: "refresh", token: old });
  t.match(await client.next(), { type: "error", code: "revoked" }, "a revoked token refreshes nothing");
  await revoke(t, ["--tenant", tenant, "--jti", "fresh"]);
  t.match(await client.next(), { type: "error", code: "revoked" });
  t.equal((await client.closed).code, 4403);
});

t.test("access comes back when the time is over", async (t) => {
  const tenant = newTenant();
  const token = tokenWith({ tenant });
  const before = await follow(t, gateway, "/ws", { token });
  await revoke(t, ["--tenant", tenant, "--for", "3"]);
  await endsRevoked(t, [before]);
  const deadline = Date.now() + 15_000;
  const opened = () => follow(t, gateway, "/stream", { token }).catch(() => undefined);
  let after = await opened();
  while (after === undefined && Date.now() < deadline) after = await opened();
  t.ok(after, "it may connect again");
});

t.test("a gateway that starts later refuses what was revoked before", async (t) => {
  const tenant = "tenant / {with} * odd:name\n";
  const token = tokenWith({ tenant });
  await revoke(t, ["--tenant", tenant]);
  const late = await startGateway(t, { redis: server, secret: gateway.secret });
  await isRefused(t, late, token);
  await follow(t, late, "/ws", { token: tokenWith({ tenant: newTenant() }) });
});
