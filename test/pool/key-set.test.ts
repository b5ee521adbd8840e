import { generateKeyPairSync } from "node:crypto";
import type { RequestListener } from "node:http";
import t, { type Test } from "tap";
import { makeTokenVerifier, type TokenRules, type VerifyToken } from "../../src/pool/verify-tokens.ts";
import { inSeconds } from "../support/forge-token.ts";
import { until } from "../support/until.ts";
import { ALL_KEYS, jwkOf, type KeyServer, keySet, startKeyServer } from "./key-server.ts";
import { KEY_PAIRS, PAIR_OF, SECRET, signWith } from "./signing.ts";

const INVALID = { refused: "token_invalid" };
const UNAVAILABLE = { refused: "unavailable" };
const ACME = { identity: { tenant: "acme" } };

function claims(): Record<string, unknown> {
  return { tenant_id: "acme", user_id: "u-1", exp: inSeconds(600) };
}

/** A clock that stands still until it is moved. */
const clock = { ms: 0 };

function verifierOf({ url }: Pick<KeyServer, "url">, changes: Partial<TokenRules> = {}): VerifyToken {
  const names = { tenantClaim: "tenant_id", userClaim: "user_id" };
  const rules = { jwksUrl: url, algorithms: Object.keys(PAIR_OF), ...names, clockToleranceSeconds: 5, ...changes };
  return makeTokenVerifier(rules, () => clock.ms);
}

const MINUTE_MS = 60_000;
const away: RequestListener = (request) => request.socket.destroy();

function tokenOf(alg: string, kid: string | undefined = alg): string {
  return signWith(PAIR_OF[alg]!.privateKey, { alg, ...(kid !== undefined && { kid }) }, claims());
}

async function withAllKeys(t: Test): Promise<{ server: KeyServer; verify: VerifyToken }> {
  const server = await startKeyServer(t, keySet(...ALL_KEYS));
  return { server, verify: verifierOf(server) };
}

t.test("a token is verified with the key of its name, for every public-key algorithm", async (t) => {
  const { server, verify } = await withAllKeys(t);
  for (const alg of Object.keys(PAIR_OF)) t.match(await verify(tokenOf(alg)), ACME, alg);
  t.equal(server.requests(), 1, "the set was read once");
});

t.test("many tokens at once read the set once", async (t) => {
  const { server, verify } = await withAllKeys(t);
  const verdicts = await Promise.all(Array.from({ length: 50 }, () => verify(tokenOf("ES256"))));
  for (const verdict of verdicts) t.match(verdict, ACME);
  t.equal(server.requests(), 1);
});

t.test("a token without a key's name is verified if one key alone fits it", async (t) => {
  const verify = verifierOf(await startKeyServer(t, keySet(jwkOf(KEY_PAIRS.p256), jwkOf(KEY_PAIRS.rsa))));
  t.match(await verify(signWith(KEY_PAIRS.p256.privateKey, { alg: "ES256" }, claims())), ACME);
  const { verify: ambiguous } = await withAllKeys(t);
  const twice = verifierOf(await startKeyServer(t, keySet(jwkOf(KEY_PAIRS.rsa), jwkOf(KEY_PAIRS.rsa))));
  t.strictSame(await twice(signWith(KEY_PAIRS.rsa.privateKey, { alg: "RS256" }, claims())), INVALID);
  t.match(await ambiguous(signWith(KEY_PAIRS.ed25519.privateKey, { alg: "EdDSA" }, claims())), ACME);
});

t.test("a token that names another key, or is signed with another, is refused", async (t) => {
  const { verify } = await withAllKeys(t);
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
  t.strictSame(await verify(signWith(other.privateKey, { alg: "ES256", kid: "ES256" }, claims())), INVALID);
  t.strictSame(await verify(tokenOf("ES256", "ES384")), INVALID);
  t.strictSame(await verify(signWith(SECRET, { alg: "HS256", kid: "RS256" }, claims())), INVALID);
  const [header, payload] = tokenOf("RS256").split(".");
  t.strictSame(await verify(`${header}.${payload}.`), INVALID);
});

t.test("only the algorithms listed count, whatever keys there are", async (t) => {
  const verify = verifierOf(await startKeyServer(t, keySet(...ALL_KEYS)), { algorithms: ["ES256"] });
  t.match(await verify(tokenOf("ES256")), ACME);
  for (const alg of ["RS256", "PS256", "ES384", "EdDSA"]) t.strictSame(await verify(tokenOf(alg)), INVALID, alg);
});

t.test("issuer, audience and expiry are checked as with a fixed key", async (t) => {
  const server = await startKeyServer(t, keySet(...ALL_KEYS));
  const signed = (values: object) => signWith(KEY_PAIRS.p256.privateKey, { alg: "ES256", kid: "ES256" }, values);
  t.strictSame(await verifierOf(server, { issuer: "x" })(tokenOf("ES256")), INVALID);
  t.match(await verifierOf(server, { issuer: "x" })(signed({ ...claims(), iss: "x" })), ACME);
  t.strictSame(await verifierOf(server)(signed({ ...claims(), exp: inSeconds(-60) })), { refused: "token_expired" });
});

t.test("made-up key names do not make us ask again and again", async (t) => {
  const { server, verify } = await withAllKeys(t);
  await verify(tokenOf("RS256"));
  for (let i = 0; i < 20; i++) t.strictSame(await verify(tokenOf("RS256", `made-up-${i}`)), INVALID);
  t.equal(server.requests(), 2, "once more for all of them");
  clock.ms += 31_000;
  await Promise.all(Array.from({ length: 20 }, (_, i) => verify(tokenOf("RS256", `made-up-again-${i}`))));
  t.equal(server.requests(), 3, "and once each half minute");
});

t.test("a new key is found at once, and the next one once the set may be read again", async (t) => {
  const keys = ["first", "second", "third"].map((kid) => jwkOf(KEY_PAIRS.rsa, { kid }));
  const server = await startKeyServer(t, keySet(keys[0]!));
  const verify = verifierOf(server);
  t.match(await verify(tokenOf("RS256", "first")), ACME);
  server.answer(keySet(keys[0]!, keys[1]!));
  t.match(await verify(tokenOf("RS256", "second")), ACME);
  server.answer(keySet(...keys));
  t.strictSame(await verify(tokenOf("RS256", "third")), INVALID, "not yet");
  clock.ms += 31_000;
  t.match(await verify(tokenOf("RS256", "third")), ACME);
  t.match(await verify(tokenOf("RS256", "first")), ACME, "the old one still counts");
  t.equal(server.requests(), 3);
});

t.test("a key that was withdrawn counts no longer once the set has been read again", async (t) => {
  const server = await startKeyServer(t, keySet(jwkOf(KEY_PAIRS.rsa, { kid: "old" })));
  const verify = verifierOf(server);
  t.match(await verify(tokenOf("RS256", "old")), ACME);
  server.answer(keySet(jwkOf(KEY_PAIRS.p256, { kid: "new" })));
  clock.ms += 10 * MINUTE_MS;
  t.strictSame(await verify(tokenOf("RS256", "old")), INVALID);
});

t.test("the set is read again before it is old, and nobody waits for that", async (t) => {
  const { server, verify } = await withAllKeys(t);
  await verify(tokenOf("RS256"));
  clock.ms += 6 * MINUTE_MS;
  let release = () => {};
  server.answer((request, response) => {
    release = () => keySet(...ALL_KEYS)(request, response);
  });
  const asked = server.nextRequest();
  t.match(await verify(tokenOf("RS256")), ACME, "while the server takes its time");
  await asked;
  release();
  clock.ms += 4 * MINUTE_MS;
  t.match(await verify(tokenOf("ES256")), ACME);
  t.equal(server.requests(), 2);
});

t.test("old keys count on while the key server is away, for as long as that takes", async (t) => {
  const { server, verify } = await withAllKeys(t);
  t.match(await verify(tokenOf("RS256")), ACME);
  server.answer(away);
  for (let hour = 0; hour < 5; hour++) {
    clock.ms += 60 * MINUTE_MS;
    for (const alg of ["RS256", "ES256"]) t.match(await verify(tokenOf(alg)), ACME, `${alg} after ${hour + 1} h`);
  }
  t.strictSame(await verify(tokenOf("RS256", "unknown")), UNAVAILABLE, "a key not known may be a new one");
  server.answer(keySet(jwkOf(KEY_PAIRS.p256, { kid: "ES256" })));
  clock.ms += 3_000;
  await until("the set to be read again", async () => {
    const verdict = await verify(tokenOf("RS256"));
    return "refused" in verdict && verdict.refused === "token_invalid";
  });
  t.match(await verify(tokenOf("ES256")), ACME);
});

t.test("while the key server is away it is asked every other second at most", async (t) => {
  const server = await startKeyServer(t, away);
  const verify = verifierOf(server);
  for (let i = 0; i < 20; i++) t.strictSame(await verify(tokenOf("RS256", `kid-${i}`)), UNAVAILABLE);
  t.equal(server.requests(), 1);
  clock.ms += 2_000;
  await Promise.all(Array.from({ length: 20 }, () => verify(tokenOf("RS256"))));
  t.equal(server.requests(), 2);
});

t.test("a weak key in the set verifies nothing", async (t) => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const verify = verifierOf(await startKeyServer(t, keySet(jwkOf(weak, { kid: "weak" }))));
  t.strictSame(await verify(signWith(weak.privateKey, { alg: "RS256", kid: "weak" }, claims())), INVALID);
});

t.test("a secret in the set is no key", async (t) => {
  const secret = { kty: "oct", kid: "s", k: Buffer.from(SECRET).toString("base64url") };
  const verify = verifierOf(await startKeyServer(t, keySet(secret)));
  t.strictSame(await verify(signWith(SECRET, { alg: "HS256", kid: "s" }, claims())), INVALID);
});

t.test("keys of the same name are told apart by their algorithm", async (t) => {
  const same = [jwkOf(KEY_PAIRS.rsa, { kid: "k", alg: "RS256" }), jwkOf(KEY_PAIRS.p256, { kid: "k", alg: "ES256" })];
  const verify = verifierOf(await startKeyServer(t, keySet(...same)));
  for (const alg of ["RS256", "ES256"]) t.match(await verify(tokenOf(alg, "k")), ACME, alg);
  t.strictSame(await verify(tokenOf("PS256", "k")), INVALID);
});

t.test("while the keys cannot be read a token is neither good nor bad", async (t) => {
  const server = await startKeyServer(t, (_request, response) => response.writeHead(500).end());
  const verify = verifierOf(server);
  t.strictSame(await verify(tokenOf("RS256")), UNAVAILABLE, "an error");
  const later = () => {
    clock.ms += 2_000;
  };
  later();
  server.answer((_request, response) => response.end("<html>"));
  t.strictSame(await verify(tokenOf("RS256")), UNAVAILABLE, "no JSON");
  later();
  server.answer((_request, response) => response.end('{"keys":5}'));
  t.strictSame(await verify(tokenOf("RS256")), UNAVAILABLE, "no key set");
  later();
  server.answer((_request, response) => response.writeHead(302, { location: server.url }).end());
  t.strictSame(await verify(tokenOf("RS256")), UNAVAILABLE, "sent elsewhere");
  later();
  server.answer((request) => request.socket.destroy());
  t.strictSame(await verify(tokenOf("RS256")), UNAVAILABLE, "cut off");
  later();
  server.answer(keySet(...ALL_KEYS));
  t.match(await verify(tokenOf("RS256")), ACME, "and when they can be read again, all is well");
  t.strictSame(await verifierOf({ url: "http://127.0.0.1:1/" })(tokenOf("RS256")), UNAVAILABLE, "nobody there");
});

t.test("a token that could fit no key asks for none", async (t) => {
  const { server, verify } = await withAllKeys(t);
  for (const text of ["", "x", "a.b.c", "..", "é"]) t.strictSame(await verify(text), INVALID);
  t.equal(server.requests(), 0);
});
