import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { ALL_KEYS, jwkOf, keySet, startKeyServer } from "../pool/key-server.ts";
import { KEY_PAIRS, PAIR_OF, pemOf, signWith } from "../pool/signing.ts";
import { inSeconds } from "../support/forge-token.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { startTestRedis } from "../support/redis.ts";
import { request } from "../support/request.ts";

const redis = await startTestRedis(t);

const start = (t: Test, env: Readonly<Record<string, string>>) =>
  startGateway(t, { redis, env: { JWT_SECRET_KEY: "", ...env } });

function tokenOf(gateway: Gateway, alg: string, kid = alg, more: object = {}): string {
  const claims = { tenant_id: "acme", user_id: "anna", exp: inSeconds(600), ...more };
  return gateway.watch(signWith(PAIR_OF[alg]!.privateKey, { alg, kid }, claims));
}

/** The statuses with which both workers answer. */
async function statuses({ url }: Gateway, token: string): Promise<number[]> {
  const answers = await onBothWorkers(() => request(`${url}/ws/stats`, { token }));
  return [...new Set(answers.map(({ status }) => status))];
}

t.test("a key set: every algorithm, new keys as they appear, and old ones while the key server is away", async (t) => {
  const [old, fresh] = ["old", "fresh"].map((kid) => jwkOf(KEY_PAIRS.p256, { kid }));
  const server = await startKeyServer(t, keySet(...ALL_KEYS, old!));
  const algorithms = Object.keys(PAIR_OF).join(",");
  const gateway = await start(t, { JWT_JWKS_URL: server.url, JWT_ALGORITHMS: algorithms, JWT_ISSUER: "us" });
  const signed = (alg: string, kid?: string) => tokenOf(gateway, alg, kid, { iss: "us" });
  for (const alg of Object.keys(PAIR_OF)) t.same(await statuses(gateway, signed(alg)), [200], alg);
  t.same(await statuses(gateway, tokenOf(gateway, "ES256")), [401], "another issuer's");

  server.answer(keySet(fresh!, old!));
  t.same(await statuses(gateway, signed("ES256", "fresh")), [200], "a key published later");
  server.answer((request) => request.socket.destroy());
  t.same(await statuses(gateway, signed("ES256", "old")), [200], "with the key server away");
});

t.test("before its key server was ever reached a gateway says that it cannot tell", async (t) => {
  const gateway = await start(t, { JWT_JWKS_URL: "http://127.0.0.1:1/keys" });
  const answer = await request(`${gateway.url}/stream`, { token: tokenOf(gateway, "ES256") });
  t.equal(answer.status, 503);
  t.match(answer.json, { error: { code: "unavailable" } });
  t.match(answer.headers["retry-after"], /^\d+$/);
});

t.test("a key file: the algorithm of its key, and no other", async (t) => {
  const file = join(t.testdir({}), "key.pem");
  writeFileSync(file, pemOf(KEY_PAIRS.ed25519.publicKey));
  const gateway = await start(t, { JWT_PUBLIC_KEY_FILE: file });
  t.same(await statuses(gateway, tokenOf(gateway, "EdDSA")), [200]);
  t.same(await statuses(gateway, tokenOf(gateway, "ES256")), [401]);
  const asSecret = signWith(pemOf(KEY_PAIRS.ed25519.publicKey), { alg: "HS256" }, { tenant_id: "acme", user_id: "a" });
  t.same(await statuses(gateway, gateway.watch(asSecret)), [401], "the public key is no HMAC secret");
});
