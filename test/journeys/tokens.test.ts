import t, { type Test } from "tap";
import { forgeToken, inSeconds } from "../support/forge-token.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { openSse } from "../support/sse-client.ts";
import { openWs } from "../support/ws-client.ts";
import { addEvent } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

/** What a client offers beside the path: header, query, subprotocols. */
interface Offer {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly protocols?: readonly string[];
}

/** `tenant/user` when taken, the refusal's code otherwise. */
async function sse(t: Test, { headers = {}, query = "" }: Offer): Promise<string> {
  try {
    const client = await openSse(t, `${gateway.url}/stream${query}`, { headers });
    return who(JSON.parse((await client.next()).data));
  } catch (error) {
    return /"code":"(\w+)"/.exec((error as Error).message)?.[1] ?? String(error);
  }
}

async function ws(t: Test, { headers = {}, query = "", protocols = [] }: Offer): Promise<string> {
  const client = await openWs(t, `${gateway.url}/ws${query}`, { headers, protocols });
  const first = await client.next();
  return first.type === "connected" ? who(first.data) : String(first.code);
}

function who(identity: unknown): string {
  const { tenant_id, user_id } = identity as { tenant_id: unknown; user_id: unknown };
  return `${tenant_id}/${user_id}`;
}

const forge = (claims: object, header?: Parameters<typeof forgeToken>[2], secret = gateway.secret) =>
  gateway.watch(forgeToken(secret, claims, header));
const claims = (more: object) => ({ tenant_id: "acme", user_id: "anna", exp: inSeconds(600), ...more });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const protocols = (token: string) => ["ragline.json.v1", `ragline.bearer.${token}`];

t.test("a token is taken from the header, the query and, on WebSocket, a subprotocol", async (t) => {
  const token = gateway.token({ tenant: "acme", user: "anna" });
  for (const offer of [
    { headers: bearer(token) },
    { headers: { authorization: `bearer ${token}` } },
    { query: `?token=${token}` },
    { query: `?access_token=${token}` },
    { query: `?types=a&access_token=${token}&last_event_id=` },
  ]) {
    t.equal(await sse(t, offer), "acme/anna");
    t.equal(await ws(t, offer), "acme/anna");
  }
  t.equal(await ws(t, { protocols: protocols(token) }), "acme/anna");
});

t.test("the first place that has a token counts, right or wrong", async (t) => {
  const good = gateway.token({ tenant: "acme", user: "anna" });
  const other = gateway.token({ tenant: "globex", user: "gus" });
  const bad = forge(claims({}), undefined, "x".repeat(32));
  for (const connect of [sse, ws]) {
    t.equal(await connect(t, { headers: bearer(good), query: `?token=${other}` }), "acme/anna");
    t.equal(await connect(t, { headers: bearer(other), query: `?access_token=${good}` }), "globex/gus");
    t.equal(await connect(t, { headers: bearer(good), query: `?token=${bad}` }), "acme/anna");
    t.equal(await connect(t, { headers: bearer(bad), query: `?token=${good}` }), "token_invalid");
  }
  t.equal(await ws(t, { headers: bearer(good), protocols: protocols(other) }), "acme/anna");
  t.equal(await ws(t, { query: `?token=${good}`, protocols: protocols(other) }), "acme/anna");
  t.equal(await ws(t, { query: `?token=${bad}`, protocols: protocols(good) }), "token_invalid");
});

t.test("without any token authentication is required", async (t) => {
  for (const connect of [sse, ws]) t.equal(await connect(t, {}), "auth_required");
});

const NOT_VALID: readonly (readonly [what: string, token: () => string, code?: string])[] = [
  ["signed with another secret", () => forge(claims({}), undefined, "another secret of 32 bytes or more")],
  [
    "whose claims were changed",
    () => {
      const [head, , signature] = forge(claims({})).split(".");
      return `${head}.${Buffer.from(JSON.stringify(claims({ tenant_id: "globex" }))).toString("base64url")}.${signature}`;
    },
  ],
  ["without signature", () => forge(claims({})).replace(/[^.]*$/, "")],
  ["of algorithm none", () => forge(claims({}), { alg: "none", typ: "JWT" })],
  [
    "of algorithm None with a signature",
    () => {
      const signature = forge(claims({})).split(".")[2];
      return `${forge(claims({}), { alg: "None" })}${signature}`;
    },
  ],
  ["of an HMAC algorithm that is not listed", () => forge(claims({}), { alg: "HS512", typ: "JWT" })],
  ["that expired", () => forge(claims({ exp: inSeconds(-60) })), "token_expired"],
  ["that never expires", () => forge(claims({ exp: undefined }))],
  ["whose exp is text", () => forge(claims({ exp: "tomorrow" }))],
  ["of type refresh", () => forge(claims({ type: "refresh" }))],
  ["whose type is null", () => forge(claims({ type: null }))],
  ["without tenant", () => forge(claims({ tenant_id: undefined }))],
  ["whose tenant is null", () => forge(claims({ tenant_id: null }))],
  ["whose tenant is empty", () => forge(claims({ tenant_id: "" }))],
  ["whose tenant is a fraction", () => forge(claims({ tenant_id: 1.5 }))],
  ["whose tenant is a truth value", () => forge(claims({ tenant_id: true }))],
  ["whose tenant is a list", () => forge(claims({ tenant_id: ["acme"] }))],
  ["whose tenant is an object", () => forge(claims({ tenant_id: { toString: "acme" } }))],
  ["without user", () => forge(claims({ user_id: undefined }))],
  ["whose user is a list", () => forge(claims({ user_id: ["anna"] }))],
  ["whose user is empty", () => forge(claims({ user_id: "" }))],
  ["that is no token", () => "nonsense"],
  ["of two parts", () => "a.b"],
  ["of claims that are a list", () => gateway.watch(forgeToken(gateway.secret, [1]))],
];

for (const [what, make, code = "token_invalid"] of NOT_VALID) {
  t.test(`a token ${what} is refused with ${code}`, async (t) => {
    const token = make();
    for (const connect of [sse, ws]) {
      t.equal(await connect(t, { headers: bearer(token) }), code);
      t.equal(await connect(t, { query: `?token=${token}` }), code);
    }
    if (/^[\w.-]+$/.test(token)) t.equal(await ws(t, { protocols: protocols(token) }), code);
  });
}

t.test("type may be missing or access", async (t) => {
  for (const type of [undefined, "access"])
    t.equal(await sse(t, { headers: bearer(forge(claims({ type }))) }), "acme/anna");
});

t.test("the user falls back to sub, and user_id counts before it", async (t) => {
  const fallback = forge(claims({ user_id: undefined, sub: "sam" }));
  const both = forge(claims({ sub: "sam" }));
  for (const connect of [sse, ws]) {
    t.equal(await connect(t, { headers: bearer(fallback) }), "acme/sam");
    t.equal(await connect(t, { headers: bearer(both) }), "acme/anna");
  }
});

t.test("an integer tenant is the tenant of the same text", async (t) => {
  const integer = forge(claims({ tenant_id: 42, user_id: 7 }));
  const text = forge(claims({ tenant_id: "42", user_id: "7" }));
  t.equal(await sse(t, { headers: bearer(integer) }), "42/7");
  const clients = await Promise.all([integer, text].map((token) => openWs(t, `${gateway.url}/ws`, { token })));
  for (const client of clients) t.match(await client.next(), { data: { tenant_id: "42", user_id: "7" } });
  for (const tenant_id of [42, "42"]) {
    for (const form of ["fields", "compact"] as const) {
      await addEvent(redis, { tenant_id, target_user_id: "7", payload: form }, { form, key: "shared" });
      for (const client of clients) t.match(await client.next(), { type: "event", data: form });
    }
  }
});

t.test("a token of several kilobytes is taken in the header", async (t) => {
  const token = forge(
    claims({ roles: ["publisher"], scopes: Array.from({ length: 150 }, (_, n) => `scope-${n}-of-many`) }),
  );
  t.ok(token.length > 3_000);
  t.equal(await sse(t, { headers: bearer(token) }), "acme/anna");
  t.equal(await ws(t, { headers: bearer(token) }), "acme/anna");
});

t.test("many tokens at once each get their own answer", async (t) => {
  const tenant = newTenant();
  const answers = await Promise.all(
    Array.from({ length: 300 }, async (_, n) => {
      const good = n % 3 !== 0;
      const token = good ? gateway.token({ tenant, user: `user-${n}` }) : forge(claims({ exp: inSeconds(-60 - n) }));
      return (await sse(t, { headers: bearer(token) })) === (good ? `${tenant}/user-${n}` : "token_expired");
    }),
  );
  t.ok(answers.every(Boolean));
});
