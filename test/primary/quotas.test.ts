import t from "tap";
import { Quotas } from "../../src/primary/quotas.ts";

const UNLIMITED = { perTenant: 0, perUser: 0 };

function take(quotas: Quotas, times: number, limits = UNLIMITED, worker = 1, user = "anna"): number {
  return Array.from({ length: times }, () => quotas.take(worker, "acme", user, limits)).filter(Boolean).length;
}

t.test("a tenant takes as many places as its limit, over all workers", async (t) => {
  const quotas = new Quotas();
  const limits = { perTenant: 5, perUser: 0 };
  t.equal(take(quotas, 3, limits, 1) + take(quotas, 3, limits, 2), 5);
  t.ok(quotas.take(1, "globex", "anna", limits), "another tenant has its own");
  quotas.giveBack(1, "acme", "anna");
  t.equal(take(quotas, 2, limits, 2), 1);
});

t.test("a user takes as many places as its limit", async (t) => {
  const quotas = new Quotas();
  const limits = { perTenant: 0, perUser: 2 };
  t.equal(take(quotas, 3, limits), 2);
  t.equal(take(quotas, 3, limits, 1, "bert"), 2);
});

t.test("a limit that is set later counts the places taken before", async (t) => {
  const quotas = new Quotas();
  t.equal(take(quotas, 4), 4);
  t.equal(take(quotas, 4, { perTenant: 5, perUser: 0 }), 1);
  t.equal(take(quotas, 1, { perTenant: 2, perUser: 0 }), 0, "a lower one lets nobody in");
  for (let n = 0; n < 4; n++) quotas.giveBack(1, "acme", "anna");
  t.equal(take(quotas, 4, { perTenant: 2, perUser: 0 }), 1);
});

t.test("the places of a worker that died are free", async (t) => {
  const quotas = new Quotas();
  const limits = { perTenant: 4, perUser: 0 };
  take(quotas, 3, limits, 1);
  take(quotas, 1, limits, 2);
  quotas.forget(1);
  t.equal(take(quotas, 9, limits, 2), 3);
});
