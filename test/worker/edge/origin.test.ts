import t from "tap";
import { OriginPolicy } from "../../../src/worker/edge/origin.ts";

const APP = "https://app.example";
const policy = new OriginPolicy([APP, "http://localhost:3000"]);
const anyone = new OriginPolicy(["*"]);

t.test("only origins that are named may come, and whoever is no page", async (t) => {
  policy.check(APP);
  policy.check("");
  for (const origin of [
    "https://evil.example",
    "https://app.example.evil",
    "http://app.example",
    `${APP}:8443`,
    "null",
  ]) {
    t.throws(() => policy.check(origin), { code: "origin_forbidden" }, origin);
  }
});

t.test("a named origin may read the answer and send its credentials", async (t) => {
  t.match(policy.headers(APP), {
    vary: "Origin",
    "access-control-allow-origin": APP,
    "access-control-allow-credentials": "true",
  });
});

t.test("no other origin is told anything, but caches that the answer depends on it", async (t) => {
  for (const origin of ["", "https://evil.example"]) t.strictSame(policy.headers(origin), { vary: "Origin" });
});

t.test("`*` lets every page in, but lends it no credentials", async (t) => {
  anyone.check("https://anywhere.example");
  const headers = anyone.headers("https://anywhere.example");
  t.equal(headers["access-control-allow-origin"], "https://anywhere.example");
  t.notOk("access-control-allow-credentials" in headers);
});

t.test("a preflight names the methods and headers a page may use", async (t) => {
  const headers = policy.preflightHeaders(APP, "GET, OPTIONS");
  t.equal(headers["access-control-allow-origin"], APP);
  t.equal(headers["access-control-allow-methods"], "GET, OPTIONS");
  for (const name of ["authorization", "content-type", "last-event-id"]) {
    t.ok(headers["access-control-allow-headers"]!.split(", ").includes(name), name);
  }
  t.notOk("access-control-allow-origin" in policy.preflightHeaders("https://evil.example", "GET, OPTIONS"));
});
