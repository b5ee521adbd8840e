import t, { type Test } from "tap";
import type { Revocation } from "../../../src/protocol/revocation.ts";
import { Revocations } from "../../../src/worker/control/revocations.ts";

const NOW = 1_000;

function revoked(_t: Test, ...added: Omit<Revocation, "until">[]): Revocations {
  const revocations = new Revocations(() => NOW * 1000);
  for (const revocation of added) revocations.add({ ...revocation, until: NOW + 10 });
  return revocations;
}

t.test("a tenant's revocation covers all its users, and nobody else", async (t) => {
  const revocations = revoked(t, { tenant: "acme" });
  t.ok(revocations.covers({ tenant: "acme", user: "anna" }));
  t.ok(revocations.covers({ tenant: "acme", user: "bert", tokenId: "1" }));
  for (const tenant of ["acme2", "Acme", "acm", "", "*"]) t.notOk(revocations.covers({ tenant, user: "anna" }), tenant);
});

t.test("a user's revocation covers the user of that tenant", async (t) => {
  const revocations = revoked(t, { tenant: "acme", user: "anna" });
  t.ok(revocations.covers({ tenant: "acme", user: "anna", tokenId: "1" }));
  t.notOk(revocations.covers({ tenant: "acme", user: "bert" }));
  t.notOk(revocations.covers({ tenant: "globex", user: "anna" }));
});

t.test("a token's revocation covers that token, of that user where one is named", async (t) => {
  const revocations = revoked(t, { tenant: "acme", tokenId: "1" }, { tenant: "acme", user: "anna", tokenId: "2" });
  t.ok(revocations.covers({ tenant: "acme", user: "bert", tokenId: "1" }));
  t.ok(revocations.covers({ tenant: "acme", user: "anna", tokenId: "2" }));
  t.notOk(revocations.covers({ tenant: "acme", user: "bert", tokenId: "2" }));
  t.notOk(revocations.covers({ tenant: "acme", user: "anna" }));
  t.notOk(revocations.covers({ tenant: "globex", user: "anna", tokenId: "1" }));
});

t.test("names that join to the same text stay apart", async (t) => {
  const revocations = revoked(t, { tenant: "a", user: 'b","c' }, { tenant: "a", user: "null" });
  t.notOk(revocations.covers({ tenant: "a", user: "b", tokenId: "c" }));
  t.notOk(revocations.covers({ tenant: "a", user: "c" }));
});

t.test("a revocation ends at its time, the latest one counts, and what is over is forgotten", async (t) => {
  let now = NOW;
  const revocations = new Revocations(() => now * 1000);
  const anna = { tenant: "acme", user: "anna" };
  revocations.add({ ...anna, until: NOW + 20 });
  revocations.add({ ...anna, until: NOW + 10 });
  revocations.add({ tenant: "globex", until: NOW - 1 });
  t.equal(revocations.size, 1, "what is over is not even kept");
  now = NOW + 19;
  t.ok(revocations.covers(anna));
  now = NOW + 20;
  t.notOk(revocations.covers(anna));
  revocations.sweep();
  t.equal(revocations.size, 0);
});
