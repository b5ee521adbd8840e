import t from "tap";
import { loadSettings } from "../../src/config.ts";
import { makeTokenVerifier } from "../../src/pool/verify-tokens.ts";
import { runCli } from "./run-cli.ts";

const ENV = { JWT_SECRET_KEY: "a secret of at least 32 bytes, for tests" };

t.test("token prints a token, and nothing else, that a gateway with the same secret accepts", async (t) => {
  const args = ["token", "--tenant", "Übermut", "--user", "7", "--role", "publisher", "--role", "admin"];
  const { code, stdout } = await runCli([...args, "--ttl", "60"], ENV);
  t.equal(code, 0);
  t.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const verdict = await makeTokenVerifier(loadSettings(ENV).jwt)(stdout.trim());
  if (!("identity" in verdict)) throw new Error("refused");
  t.match(verdict.identity, { tenant: "Übermut", user: "7", roles: ["publisher", "admin"] });
  const left = verdict.identity.expiresAt - Date.now() / 1000;
  t.ok(left <= 60 && left > 0, `good for ${left} s`);
});

t.test("without a secret to sign with, token says so and exits with 78", async (t) => {
  const args = ["token", "--tenant", "acme", "--user", "u1"];
  const [without, elsewhere, wrong] = await Promise.all([
    runCli(args),
    runCli(args, { JWT_JWKS_URL: "https://login.example.com/jwks.json" }),
    runCli(args, { JWT_SECRET_KEY: "hunter2" }),
  ]);
  for (const { code, stdout, stderr } of [without, elsewhere, wrong]) {
    t.equal(code, 78);
    t.equal(stdout, "");
    t.match(stderr, "JWT_SECRET_KEY");
  }
  t.notMatch(wrong.stderr, "hunter2");
});

t.test("a token has the claims that the settings ask for", async (t) => {
  const env = { ...ENV, JWT_ALGORITHMS: "HS512", JWT_ISSUER: "us", JWT_AUDIENCE: "them", JWT_TENANT_CLAIM: "org" };
  const { code, stdout } = await runCli(["token", "--tenant", "acme", "--user", "u1"], env);
  t.equal(code, 0);
  const verdict = await makeTokenVerifier(loadSettings(env).jwt)(stdout.trim());
  t.match(verdict, { identity: { tenant: "acme", user: "u1" } });
});

t.test("a token that the gateway would refuse is not printed", async (t) => {
  const args = ["token", "--tenant", "acme", "--user", "u1"];
  const outcomes = await Promise.all([
    runCli(["token", "--tenant", "", "--user", "u1"], ENV),
    runCli(args, { ...ENV, JWT_TENANT_CLAIM: "type" }),
  ]);
  for (const { code, stdout, stderr } of outcomes) {
    t.equal(code, 78);
    t.equal(stdout, "");
    t.match(stderr, /^the gateway would refuse the token: /);
  }
});
