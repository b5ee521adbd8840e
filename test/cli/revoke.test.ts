import t from "tap";
import { connectToRedis } from "../support/journey.ts";
import { startTestRedis } from "../support/redis.ts";
import { runCli } from "./run-cli.ts";

t.test("revoke writes one entry to the control stream, and says until when it holds", async (t) => {
  const server = await startTestRedis(t);
  const redis = connectToRedis(t, server);
  const env = { REDIS_URL: server.url };
  const { code, stdout, stderr } = await runCli(
    ["revoke", "--tenant", "東京", "--user", "a/b", "--jti", "7", "--for", "60"],
    env,
  );
  t.strictSame([code, stderr], [0, ""]);
  const [entry] = await redis.xrange("ragline:control", "-", "+");
  const [, fields] = entry!;
  const until = Number(fields.at(-1));
  t.strictSame(fields.slice(0, -1), ["op", "revoke", "tenant_id", "東京", "user_id", "a/b", "jti", "7", "until"]);
  t.ok(Math.abs(until - Date.now() / 1000 - 60) < 30);
  t.equal(stdout, `revoked until ${new Date(until * 1000).toISOString()}\n`);
});

t.test("revoke fails in one line when nothing was revoked", async (t) => {
  const away = await runCli(["revoke", "--tenant", "acme"], { REDIS_URL: "redis://127.0.0.1:1" });
  t.match(away, { code: 1, stdout: "", stderr: /^ragline-gateway: Redis cannot be reached, nothing was revoked\n$/ });
  for (const args of [[], ["--tenant", ""], ["--tenant", "a", "--jti", ""], ["--tenant", "a", "--for", "0"]]) {
    t.match(await runCli(["revoke", ...args]), { code: 2, stdout: "" }, args.join(" "));
  }
});
