import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import { Turns } from "../../../src/worker/resume/turns.ts";

/** Work that takes so many milliseconds of the event loop. */
function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

t.test("who comes alone is served at once, before `run` returns", async (t) => {
  let done = false;
  const result = new Turns().run("acme", () => {
    done = true;
    return 42;
  });
  t.ok(done);
  t.equal(await result, 42);
});

t.test("what the work throws, or the promise it returns, is what the caller gets", async (t) => {
  const turns = new Turns();
  const fail = () => {
    throw new Error("no");
  };
  await t.rejects(turns.run("acme", fail), /no/);
  await t.rejects(
    turns.run("acme", () => Promise.reject(new Error("later"))),
    /later/,
  );
  t.equal(await turns.run("acme", () => Promise.resolve(1)), 1, "and others go on");
});

t.test("the event loop gets its turns between, and a tenant with little to do is not kept waiting", async (t) => {
  const turns = new Turns();
  const order: string[] = [];
  const run = (tenant: string) =>
    turns.run(tenant, () => {
      busy(5);
      order.push(tenant);
    });
  const all = [...Array.from({ length: 6 }, () => run("large")), run("small")];
  t.strictSame(order, ["large"], "one piece of work is all there is time for in this turn");
  await nextTurn();
  t.notOk(order.length === all.length, "live events can go out meanwhile");
  await Promise.all(all);
  t.ok(order.indexOf("small") <= 2, order.join());
  t.equal(order.length, 7);
});
