import t from "tap";
import { describeSettings } from "../../src/config.ts";
import { runCli } from "./run-cli.ts";

t.test("config prints every setting with its value and where it came from, and no secret", async (t) => {
  const env = {
    JWT_SECRET_KEY: "hunter2-hunter2-hunter2-hunter2-hunter2",
    REDIS_URL: "redis://user:hunter2@redis.example.com:6380/1",
    PORT: "9000",
  };
  const { code, stdout, stderr } = await runCli(["config"], env);
  t.strictSame([code, stderr], [0, ""]);
  t.notMatch(stdout, "hunter2");
  const rows = new Map(stdout.split("\n").map((line) => [line.split(/ +/)[0], line.split(/ {2,}/).slice(1)]));
  t.strictSame(rows.get("PORT"), ["9000", "environment"]);
  t.strictSame(rows.get("ADMIN_PORT"), ["9090", "default"]);
  t.strictSame(rows.get("JWT_ISSUER"), ["-", "default"]);
  t.match(rows.get("REDIS_URL")?.[0], "redis.example.com:6380");
  for (const { name } of describeSettings({})) t.ok(rows.has(name), name);
});

t.test("config lists all problems after the table and exits with 78", async (t) => {
  const { code, stdout, stderr } = await runCli(["config"], { PORT: "none", RAGLINE_WORKERS: "0" });
  t.equal(code, 78);
  t.match(stdout, /^PORT +none +environment$/m);
  t.match(stderr, /^PORT /m);
  t.match(stderr, /^RAGLINE_WORKERS /m);
  t.match(stderr, /JWT_SECRET_KEY/);
});
