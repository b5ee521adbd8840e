import t from "tap";
import { claimsOf, tokensOf } from "../../../src/browser/console/tokens.ts";

function token(claims: unknown): string {
  return `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;
}

t.test("tokens stand between commas, blanks and line ends", async (t) => {
  t.same(tokensOf("a.b.c,d.e.f"), ["a.b.c", "d.e.f"]);
  t.same(tokensOf("a.b.c%2Cd.e.f"), ["a.b.c", "d.e.f"]);
  t.same(tokensOf(" a.b.c\n\nd.e.f, \n"), ["a.b.c", "d.e.f"]);
  t.same(tokensOf(""), []);
});

t.test("the tenant, user and roles are read", async (t) => {
  t.same(claimsOf(token({ tenant_id: "münchen>>>???", user_id: "ada", roles: ["publisher"] })), {
    tenant: "münchen>>>???",
    user: "ada",
    roles: ["publisher"],
  });
});

t.test("numbers are read as text, and the user may be the subject", async (t) => {
  t.same(claimsOf(token({ tenant_id: 7, sub: 12 })), { tenant: "7", user: "12", roles: [] });
});

t.test("what is not a JWT with a tenant has no claims", async (t) => {
  for (const text of ["", "abc", "a.b.c", "e30.!!.x", token({ user_id: "ada" }), token(null)]) {
    t.equal(claimsOf(text), undefined, text);
  }
});
