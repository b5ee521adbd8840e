import { generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import t from "tap";
import { signToken } from "../../src/pool/sign-token.ts";
import { makeTokenVerifier, type TokenRules, type TokenVerdict } from "../../src/pool/verify-tokens.ts";
import { forgeToken, inSeconds } from "../support/forge-token.ts";
import { KEY_PAIRS, PAIR_OF, pemOf, SECRET, signText, signWith } from "./signing.ts";

const HMAC = ["HS256", "HS384", "HS512"];
const INVALID = { refused: "token_invalid" };
const EXPIRED = { refused: "token_expired" };

const rules: TokenRules = {
  secret: SECRET,
  algorithms: ["HS256"],
  tenantClaim: "tenant_id",
  userClaim: "user_id",
  clockToleranceSeconds: 5,
};

/** Claims of a good token. */
function claims(values: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { tenant_id: "acme", user_id: "u-1", exp: inSeconds(600), ...values };
}

function verdictOf(token: string, changes: Partial<TokenRules> = {}): TokenVerdict {
  return makeTokenVerifier({ ...rules, ...changes })(token) as TokenVerdict;
}

function publicKeyRules(alg: string): TokenRules {
  const { secret: _secret, ...rest } = rules;
  return { ...rest, publicKey: pemOf(PAIR_OF[alg]!.publicKey), algorithms: [alg] };
}

function verify(values: Readonly<Record<string, unknown>>, changes: Partial<TokenRules> = {}): TokenVerdict {
  return verdictOf(forgeToken(SECRET, claims(values)), changes);
}

/** The token with one character of a part changed: 0 header, 1 claims, 2 signature. */
function damage(token: string, part: 0 | 1 | 2): string {
  const parts = token.split(".");
  const text = parts[part]!;
  const middle = Math.floor(text.length / 2);
  parts[part] = text.slice(0, middle) + (text[middle] === "A" ? "B" : "A") + text.slice(middle + 1);
  return parts.join(".");
}

t.test("a good token says who it speaks for, until when, and with which roles", async (t) => {
  const exp = inSeconds(600);
  t.strictSame(verify({ exp }), { identity: { tenant: "acme", user: "u-1", expiresAt: exp, roles: [] } });
  t.strictSame(verify({ exp, roles: ["publisher", 5, null, "admin"], jti: "t-1", type: "access" }), {
    identity: { tenant: "acme", user: "u-1", expiresAt: exp, roles: ["publisher", "admin"], tokenId: "t-1" },
  });
  t.match(verify({ roles: "admin" }), { identity: { roles: [] } }, "roles are a list");
});

t.test("a token signed with each HMAC algorithm is verified, and no changed one", async (t) => {
  for (const alg of HMAC) {
    const token = signWith(SECRET, { alg }, claims());
    t.match(verdictOf(token, { algorithms: [alg] }), { identity: { tenant: "acme" } }, alg);
    for (const part of [0, 1, 2] as const) t.strictSame(verdictOf(damage(token, part), { algorithms: [alg] }), INVALID);
    t.strictSame(verdictOf(signWith(`${SECRET}!`, { alg }, claims()), { algorithms: [alg] }), INVALID);
  }
});

t.test("a token signed with each public-key algorithm is verified, and no changed one", async (t) => {
  for (const [alg, { privateKey }] of Object.entries(PAIR_OF)) {
    const verifier = makeTokenVerifier(publicKeyRules(alg));
    const token = signWith(privateKey, { alg }, claims());
    t.match(verifier(token), { identity: { tenant: "acme", user: "u-1" } }, alg);
    for (const part of [0, 1, 2] as const) t.strictSame(verifier(damage(token, part)), INVALID);
  }
});

t.test("another key of the same kind verifies nothing", async (t) => {
  const others = {
    RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    PS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    EdDSA: generateKeyPairSync("ed25519"),
  };
  for (const [alg, { privateKey }] of Object.entries(others)) {
    t.strictSame(makeTokenVerifier(publicKeyRules(alg))(signWith(privateKey, { alg }, claims())), INVALID, alg);
  }
});

t.test("an algorithm that is not listed is refused, also with the right key", async (t) => {
  t.strictSame(verdictOf(signWith(SECRET, { alg: "HS512" }, claims())), INVALID);
  const verifier = makeTokenVerifier(publicKeyRules("RS256"));
  for (const alg of ["RS512", "PS256"]) {
    t.strictSame(verifier(signWith(KEY_PAIRS.rsa.privateKey, { alg }, claims())), INVALID, alg);
  }
});

t.test("a public key is no HMAC secret", async (t) => {
  const pem = pemOf(KEY_PAIRS.rsa.publicKey);
  for (const secret of [pem, pem.trim(), pem.replaceAll("\n", "")]) {
    t.strictSame(makeTokenVerifier(publicKeyRules("RS256"))(signWith(secret, { alg: "HS256" }, claims())), INVALID);
  }
});

t.test("an unsigned token is refused, whatever it calls itself", async (t) => {
  for (const alg of ["none", "None", "NONE", "", "HS256"]) {
    const [header, payload] = forgeToken(SECRET, claims(), { alg, typ: "JWT" }).split(".");
    t.strictSame(verdictOf(`${header}.${payload}.`), INVALID, alg);
    t.strictSame(verdictOf(`${header}.${payload}`), INVALID, alg);
    t.strictSame(makeTokenVerifier(publicKeyRules("ES256"))(`${header}.${payload}.`), INVALID, alg);
  }
});

t.test("a header that asks for more than we understand is refused (RFC 7515 section 4.1.11)", async (t) => {
  const header = { alg: "HS256", crit: ["b64"], b64: false };
  t.strictSame(verdictOf(forgeToken(SECRET, claims(), header)), INVALID);
});

t.test("a key that comes with the token is not looked at", async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const header = { alg: "RS256", jwk: publicKey.export({ format: "jwk" }), jku: "http://127.0.0.1:1/keys" };
  t.strictSame(makeTokenVerifier(publicKeyRules("RS256"))(signWith(privateKey, header, claims())), INVALID);
});

t.test("a token must say until when it is good", async (t) => {
  for (const exp of [undefined, null, "soon", String(inSeconds(600)), [inSeconds(600)], {}, true]) {
    t.strictSame(verify({ exp }), INVALID, inspect(exp));
  }
  const signed = (json: string) => verdictOf(signText(SECRET, { alg: "HS256" }, json));
  t.match(signed('{"tenant_id":"a","user_id":"b","exp":1e10}'), { identity: { expiresAt: 1e10 } });
  t.strictSame(signed('{"tenant_id":"a","user_id":"b","exp":1e400}'), INVALID, "for ever is no time");
  t.strictSame(signed('{"tenant_id":"a","user_id":"b","exp":-1e300}'), INVALID);
});

t.test("an expired token says so, within the tolerance it still counts", async (t) => {
  t.strictSame(verify({ exp: inSeconds(-60) }), EXPIRED);
  t.strictSame(verify({ exp: 0 }), EXPIRED);
  t.match(verify({ exp: inSeconds(-60) }, { clockToleranceSeconds: 120 }), { identity: { tenant: "acme" } });
  t.strictSame(verify({ exp: inSeconds(-60) }, { clockToleranceSeconds: 0 }), EXPIRED);
});

t.test("a forged token is never called expired", async (t) => {
  t.strictSame(verdictOf(damage(forgeToken(SECRET, claims({ exp: inSeconds(-60) })), 2)), INVALID);
});

t.test("a token whose time has not come is refused, within the tolerance it counts", async (t) => {
  t.strictSame(verify({ nbf: inSeconds(60) }), INVALID);
  t.match(verify({ nbf: inSeconds(60) }, { clockToleranceSeconds: 120 }), { identity: {} });
  t.match(verify({ nbf: inSeconds(-60) }), { identity: {} });
});

t.test("issuer and audience are checked when set, and then must be there", async (t) => {
  const issuer = { issuer: "https://id.example.com" };
  t.match(verify({ iss: issuer.issuer }, issuer), { identity: {} });
  for (const iss of [undefined, null, "", "https://id.example.com/", "other", [issuer.issuer], 5]) {
    t.strictSame(verify({ iss }, issuer), INVALID, inspect(iss));
  }
  const audience = { audience: "gateway" };
  for (const aud of ["gateway", ["gateway"], ["other", "gateway"]])
    t.match(verify({ aud }, audience), { identity: {} });
  for (const aud of [undefined, null, "", "gateway2", [], ["other"], ["gateway", 5], { gateway: 1 }]) {
    t.strictSame(verify({ aud }, audience), INVALID, inspect(aud));
  }
  t.match(verify({ iss: "anyone", aud: "anything" }), { identity: {} }, "unset, they do not matter");
});

t.test("tenant and user are text or whole numbers, compared as text", async (t) => {
  t.match(verify({ tenant_id: 42, user_id: 7 }), { identity: { tenant: "42", user: "7" } });
  for (const wrong of [undefined, null, "", [], {}, true, 1.5, "x".repeat(257), 2 ** 53]) {
    t.strictSame(verify({ tenant_id: wrong }), INVALID, inspect(wrong));
  }
  for (const wrong of ["", [], {}, true, 1.5]) t.strictSame(verify({ user_id: wrong }), INVALID, inspect(wrong));
});

t.test("the user falls back to sub", async (t) => {
  for (const user_id of [undefined, null]) t.match(verify({ user_id, sub: "s-1" }), { identity: { user: "s-1" } });
  t.match(verify({ user_id: "u-1", sub: "s-1" }), { identity: { user: "u-1" } });
  t.strictSame(verify({ user_id: undefined }), INVALID);
});

t.test("the claims that name tenant and user can have other names", async (t) => {
  const named = { tenantClaim: "https://example.com/org", userClaim: "uid" };
  const values = { "https://example.com/org": "globex", uid: "u-9" };
  t.match(verify(values, named), { identity: { tenant: "globex", user: "u-9" } });
  t.strictSame(verify({}, named), INVALID, "the usual names do not count then");
  for (const tenantClaim of ["__proto__", "constructor", "toString"])
    t.strictSame(verify({}, { tenantClaim }), INVALID);
});

t.test("a token of another type than access is refused", async (t) => {
  t.match(verify({ type: "access" }), { identity: {} });
  for (const type of ["refresh", "", null, "Access", ["access"]])
    t.strictSame(verify({ type }), INVALID, inspect(type));
});

t.test("claims that are no object are refused", async (t) => {
  for (const payload of [null, 5, "text", [], [claims()]])
    t.strictSame(verdictOf(forgeToken(SECRET, payload)), INVALID);
  for (const text of ["", "{", "tenant_id=acme"])
    t.strictSame(verdictOf(signText(SECRET, { alg: "HS256" }, text)), INVALID);
});

t.test("a token of ours is verified", async (t) => {
  const token = signToken(SECRET, { tenant: "acme", user: "u-1", roles: ["publisher"], ttlSeconds: 60 });
  t.match(verdictOf(token), { identity: { tenant: "acme", user: "u-1", roles: ["publisher"] } });
  t.strictSame(verdictOf(signToken(SECRET, { tenant: "acme", user: "u-1", ttlSeconds: -3600 })), EXPIRED);
});

t.test("any text is answered with a verdict that does not repeat it", async (t) => {
  const token = forgeToken(SECRET, claims());
  const damaged = fc.tuple(fc.nat(), fc.string({ unit: "binary", maxLength: 3 })).map(([at, inserted]) => {
    const place = at % token.length;
    return token.slice(0, place) + inserted + token.slice(place + 1);
  });
  const part = fc.oneof(fc.json(), fc.string()).map((text) => Buffer.from(text).toString("base64url"));
  const built = fc.tuple(part, part, part).map((parts) => parts.join("."));
  const verifiers = [makeTokenVerifier(rules), makeTokenVerifier(publicKeyRules("ES256"))];
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary" }), damaged, built),
      fc.constantFrom(...verifiers),
      (text, verifier) => {
        const verdict = verifier(text) as TokenVerdict;
        if ("identity" in verdict) return verdict.identity.tenant === "acme";
        return Object.keys(verdict).length === 1 && ["token_invalid", "token_expired"].includes(verdict.refused);
      },
    ),
    { numRuns: 1_000 },
  );
  t.pass("for everything tried");
});
