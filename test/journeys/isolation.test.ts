import { randomInt } from "node:crypto";
import t, { type Test } from "tap";
import { ENDPOINTS, type Follower, follow } from "../support/follow.ts";
import { forgeToken, inSeconds } from "../support/forge-token.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { openSse } from "../support/sse-client.ts";
import { addEvent, PLACES } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

/** The partition of `{x}` is that of `x`: between these two nothing but the name differs. */
const ODD_TENANTS = [
  ...["a", "A", "a/b", "a/", "*", "#", "+", "a:b", "{x}", "x", "{}x", "ü\n", "ü", "u\u0308", "ü\r\n", " ", "a ", "a\0"],
  ...["__proto__", "constructor", "toString", "orders", "null", "undefined", "0", "00", "%2f", "a,b", "a.b", "😀"],
];

/** Every event carries its tenant, so that a stray one shows. */
async function addMixed(tenants: readonly string[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const adding = tenants.map((tenant) =>
      addEvent(redis, { tenant_id: tenant, payload: { tenant, round } }, PLACES[randomInt(PLACES.length)]!),
    );
    await Promise.all(adding);
  }
}

async function onlyItsOwn(t: Test, follower: Follower, tenant: string, count: number): Promise<void> {
  const items = await follower.take(count);
  const rounds = items.map(({ data }) => (data as { round: number }).round).sort((a, b) => a - b);
  const foreign = items.filter(({ data }) => (data as { tenant: string }).tenant !== tenant);
  t.same(foreign, [], `${JSON.stringify(tenant)} on ${follower.endpoint} gets nothing of others`);
  t.same(rounds, [...Array(count).keys()], "and each of its own once");
}

t.test("two tenants on both workers and all endpoints get their own events only", async (t) => {
  const tenants = [newTenant(), newTenant()];
  const followers = await Promise.all(
    tenants.flatMap((tenant) =>
      ENDPOINTS.map(async (endpoint) => {
        const token = gateway.token({ tenant });
        const opened = await onBothWorkers(() => follow(t, gateway, endpoint, { token }));
        return { tenant, opened };
      }),
    ),
  );
  await addMixed(tenants, 20);
  for (const { tenant, opened } of followers) {
    for (const follower of opened) await onlyItsOwn(t, follower, tenant, 20);
  }
  await addMixed(tenants, 1);
  for (const { tenant, opened } of followers) {
    for (const follower of opened) t.match((await follower.next()).data, { tenant, round: 0 });
  }
});

t.test("tenants with odd names get their own events only, live and resumed", async (t) => {
  const open = (tenant: string, cursor?: string) =>
    Promise.all(
      ENDPOINTS.map((endpoint) => {
        const token = gateway.token({ tenant });
        return follow(t, gateway, endpoint, { token, ...(cursor !== undefined && { lastEventId: cursor }) });
      }),
    );
  const live = await Promise.all(ODD_TENANTS.map(async (tenant) => ({ tenant, followers: await open(tenant) })));
  const starts = live.map(({ tenant, followers }) => ({ tenant, cursor: followers[0]!.connected.id }));
  for (const { tenant, followers } of live) {
    for (const { connected } of followers) t.match(connected.data, { tenant_id: tenant });
  }
  await addMixed(ODD_TENANTS, 8);
  for (const { tenant, followers } of live) {
    for (const follower of followers) await onlyItsOwn(t, follower, tenant, 8);
  }
  for (const { tenant, cursor } of starts) {
    for (const follower of await open(tenant, cursor)) await onlyItsOwn(t, follower, tenant, 8);
  }
});

t.test("another tenant's cursor gives nothing of that tenant", async (t) => {
  const [tenant, other] = [newTenant(), newTenant()];
  const foreign = await follow(t, gateway, "/stream", { token: gateway.token({ tenant: other }) });
  await addMixed([other], 5);
  await foreign.take(5);
  for (const lastEventId of [foreign.connected.id, foreign.position()]) {
    const followers = await Promise.all(
      ENDPOINTS.map((endpoint) => follow(t, gateway, endpoint, { token: gateway.token({ tenant }), lastEventId })),
    );
    await addMixed([other, tenant], 1);
    for (const { inbox, endpoint } of followers) {
      const item = await inbox.next(({ kind }) => kind === "event");
      t.match(item.data, { tenant }, endpoint);
    }
  }
});

t.test("nothing a client sends besides the token changes its tenant", async (t) => {
  const [tenant, other] = [newTenant(), newTenant()];
  const token = gateway.token({ tenant });
  const query = `tenant_id=${other}&tenant=${other}&user_id=someone`;
  const client = await openSse(t, `${gateway.url}/stream?${query}`, {
    token,
    headers: { "x-tenant-id": other, "x-user-id": "someone" },
  });
  t.match(JSON.parse((await client.next()).data), { tenant_id: tenant, user_id: "user-1" });
  await addMixed([other], 3);
  await addMixed([tenant], 1);
  t.match(JSON.parse((await client.next()).data), { tenant });
});

t.test("an event for a user goes to the user of its tenant, not to the namesake of another", async (t) => {
  const [tenant, other] = [newTenant(), newTenant()];
  const namesake = await follow(t, gateway, "/ws", { token: gateway.token({ tenant: other, user: "anna" }) });
  const anna = await follow(t, gateway, "/ws", { token: gateway.token({ tenant, user: "anna" }) });
  await addEvent(redis, { tenant_id: tenant, target_user_id: "anna", payload: "for anna" });
  await addEvent(redis, { tenant_id: other, payload: "marker" });
  t.equal((await anna.next()).data, "for anna");
  t.equal((await namesake.next()).data, "marker");
});

t.test("a tenant and user whose names join to the same text stay apart", async (t) => {
  const pairs = [
    { tenant: "a", user: "b/c" },
    { tenant: "a/b", user: "c" },
    { tenant: "a:b", user: "c" },
    { tenant: "a", user: "b:c" },
  ];
  const followers = await Promise.all(
    pairs.map(({ tenant, user }) => {
      const claims = { tenant_id: tenant, user_id: user, exp: inSeconds(3600) };
      return follow(t, gateway, "/stream", { token: gateway.watch(forgeToken(gateway.secret, claims)) });
    }),
  );
  for (const { tenant, user } of pairs) {
    await addEvent(redis, { tenant_id: tenant, target_user_id: user, payload: { tenant, user } });
  }
  for (const tenant of new Set(pairs.map((pair) => pair.tenant))) {
    await addEvent(redis, { tenant_id: tenant, payload: "marker" });
  }
  for (const [index, follower] of followers.entries()) {
    t.same(
      (await follower.take(2)).map(({ data }) => data),
      [pairs[index], "marker"],
    );
  }
});
