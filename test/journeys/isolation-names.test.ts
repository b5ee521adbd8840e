import fc from "fast-check";
import t, { type Test } from "tap";
import { type Follower, follow, type Item } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { addEvent, PLACES } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

const MOST_NAME_BYTES = 256;
const RUNS = 6;

/** Pieces that mean something to a key, a topic, a pattern, a path, a header or an object. */
const PIECES = [
  ...["a", "A", "b", "/", "*", "#", "+", ":", "{", "}", "[", "]", "?", "%", "%2f", "..", ".", ",", "|", "\\", '"', "'"],
  ...[
    "\n",
    "\r",
    "\t",
    "\0",
    " ",
    "\u0085",
    "\u2028",
    "\u202e",
    "\ufeff",
    "\ufffd",
    "é",
    "e\u0301",
    "ß",
    "😀",
    "👩‍👩‍👧",
  ],
  ...["__proto__", "constructor", "null", "undefined", "ragline:stream:orders", "orders", "0", "-1", "$(x)", "<b>"],
];
const made = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(""));
const any = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const long = fc.constantFrom("x", "é", "{").map((piece) => piece.repeat(MOST_NAME_BYTES / Buffer.byteLength(piece)));
const name = fc
  .oneof({ weight: 4, arbitrary: made }, any, { weight: 1, arbitrary: long })
  .filter((text) => Buffer.byteLength(text) <= MOST_NAME_BYTES && !text.startsWith("\ufeff"));

/** Tenants of which some are others with something before or behind; the users' names are the tenants'. */
const tenants = fc.uniqueArray(name, { minLength: 3, maxLength: 5 }).chain((names) =>
  fc.constantFrom(...PIECES).map((piece) => {
    const near = [`${names[0]}${piece}`, `a${names[0]}`].filter((text) => Buffer.byteLength(text) <= MOST_NAME_BYTES);
    return [...new Set([...names, ...near])];
  }),
);

interface Member {
  readonly tenant: string;
  readonly user: string;
  readonly token: string;
  readonly follower: Follower;
}

async function connectAll(t: Test, names: readonly string[]): Promise<Member[]> {
  const members = names.flatMap((tenant, i) =>
    (["/stream", "/ws"] as const).map(async (endpoint, k): Promise<Member> => {
      const user = names[(i + k) % names.length]!;
      const token = gateway.token({ tenant, user, roles: ["publisher"] });
      return { tenant, user, token, follower: await follow(t, gateway, endpoint, { token }) };
    }),
  );
  return Promise.all(members);
}

/** One event for each tenant by each way in, all under the same event id, and one for each of its users. */
async function addForAll(names: readonly string[], members: readonly Member[], round: string): Promise<void> {
  for (const [i, tenant] of names.entries()) {
    const payload = { tenant, for: "all", round };
    await addEvent(redis, { tenant_id: tenant, event_id: round, payload }, PLACES[i % PLACES.length]!);
    const { token } = members.find((member) => member.tenant === tenant)!;
    const event = { topic: "orders", event_type: "order_created", event_id: round, payload };
    const { status } = await request(`${gateway.url}/publish`, { method: "POST", token, body: event });
    if (status !== 202) throw new Error(`published with ${status}`);
  }
  for (const { tenant, user } of members) {
    await addEvent(redis, { tenant_id: tenant, target_user_id: user, payload: { tenant, for: user, round } });
  }
}

/** Its own two events and the one for its user, and nothing else. */
function onlyItsOwn({ tenant, user }: Member, items: readonly Item[]): void {
  for (const { kind, data } of items) {
    const of = data as { tenant: string; for: string };
    if (kind !== "event" || of.tenant !== tenant || (of.for !== "all" && of.for !== user)) {
      throw new Error(`${JSON.stringify({ tenant, user })} got ${JSON.stringify(data)}`);
    }
  }
}

async function checkStatistics({ tenant, token }: Member): Promise<void> {
  const { json } = await request(`${gateway.url}/ws/stats`, { token });
  for (const stats of Object.values(
    json as Record<string, { connections_by_tenant?: object; connections_by_user?: object }>,
  )) {
    const seen = Object.keys(stats.connections_by_tenant ?? {});
    if (seen.some((other) => other !== tenant))
      throw new Error(`${JSON.stringify(tenant)} sees ${JSON.stringify(seen)}`);
  }
}

t.test("whatever tenants and users are called, none reaches another's events, history or statistics", async (t) => {
  const property = fc.asyncProperty(tenants, async (names) => {
    const members = await connectAll(t, names);
    const starts = members.map(({ follower }) => follower.connected.id);
    await addForAll(names, members, `live ${newTenant()}`);
    for (const member of members) onlyItsOwn(member, await member.follower.take(3));
    for (const [i, member] of members.entries()) {
      // From its own start, and from that of another.
      for (const [k, lastEventId] of [starts[i]!, starts[(i + 2) % starts.length]!].entries()) {
        const returning = await follow(t, gateway, member.follower.endpoint, { token: member.token, lastEventId });
        if (k === 0) onlyItsOwn(member, await returning.take(3));
        else
          onlyItsOwn(
            member,
            returning.inbox.items.filter(({ kind }) => kind === "event"),
          );
        returning.cut();
      }
      await checkStatistics(member);
    }
    for (const { follower } of members) {
      if (follower.inbox.items.length !== 3) throw new Error(`${follower.inbox.items.length} events instead of 3`);
      follower.cut();
    }
  });
  await t.resolves(fc.assert(property, { numRuns: RUNS, endOnFailure: true }));
});

t.test("whatever tenants are called, none can use up another's limits, or lose its access", async (t) => {
  const property = fc.asyncProperty(tenants, async (names) => {
    const members = await connectAll(t, names);
    const [first] = members as [Member, ...Member[]];
    const others = members.filter(({ tenant }) => tenant !== first.tenant);
    const attempt = (member: Member) =>
      follow(t, gateway, "/ws", { token: member.token }).then(
        ({ cut }) => {
          cut();
          return "connected";
        },
        (error: Error) => error.message,
      );
    await redis.hset(`ragline:limits:${first.tenant}`, { max_connections: "1" });
    await until("the tenant to be full", async () => (await attempt(first)).includes("quota_exceeded"));
    for (const other of others) {
      const outcome = await attempt(other);
      if (outcome !== "connected") throw new Error(`${JSON.stringify(other.tenant)}: ${outcome}`);
    }
    await redis.del(`ragline:limits:${first.tenant}`);
    const second = String(Math.ceil(Date.now() / 1000) + 5);
    await redis.xadd("ragline:control", "*", "op", "revoke", "tenant_id", first.tenant, "until", second);
    for (const { tenant, follower } of members) {
      if (tenant === first.tenant) await follower.inbox.next(({ kind }) => kind === "control");
    }
    for (const { tenant } of others) await addEvent(redis, { tenant_id: tenant, payload: "still here" });
    for (const { follower } of others)
      if ((await follower.next()).data !== "still here") throw new Error("not its own");
    for (const { follower } of members) follower.cut();
    await until("the revocation to be over", async () => (await attempt(first)) === "connected");
  });
  await t.resolves(fc.assert(property, { numRuns: 2, endOnFailure: true }));
});
