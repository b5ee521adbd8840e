import t from "tap";
import type { InterestEntry } from "../../../src/protocol/relay.ts";
import { Interest } from "../../../src/worker/fanout/interest.ts";

const LINGER_MS = 10_000;

/** An interest, what it said, and a clock to set. */
function openInterest(barrier: () => Promise<void> = async () => {}) {
  const said: (["declare", readonly InterestEntry[], readonly string[]] | "barrier")[] = [];
  const clock = { now: 1_000_000 };
  const interest = new Interest({
    declare: (add, remove) => said.push(["declare", add, remove]),
    barrier: () => {
      said.push("barrier");
      return barrier();
    },
    now: () => clock.now,
  });
  return { interest, said, clock };
}

t.test("all that comes up in one turn is declared at once, with one barrier behind it", async (t) => {
  const { interest, said } = openInterest();
  const acquired = [interest.acquire("acme", false), interest.acquire("globex", true), interest.acquire("acme", false)];
  t.strictSame(said, []);
  t.ok(interest.has("acme"), "its events are wanted from now on");
  await Promise.all(acquired);
  const add = [
    ["acme", false],
    ["globex", true],
  ];
  t.strictSame(said, [["declare", add, []], "barrier"]);
});

t.test("nobody is told that a tenant's events come before the barrier is passed", async (t) => {
  let pass = () => {};
  const { interest, said } = openInterest(
    () =>
      new Promise((resolve) => {
        pass = resolve;
      }),
  );
  const events: string[] = [];
  const first = interest.acquire("acme", false).then(() => events.push("first"));
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  t.equal(said.at(-1), "barrier");
  const second = interest.acquire("acme", false).then(() => events.push("second"));
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(events, []);
  pass();
  await Promise.all([first, second]);
  t.equal(said.length, 2, "the second one shares the barrier of the first");
});

t.test(
  "a tenant that is known is not declared again, but for its first subscriber that takes MessagePack",
  async (t) => {
    const { interest, said } = openInterest();
    await interest.acquire("acme", false);
    await interest.acquire("acme", false);
    t.equal(said.length, 2);
    t.notOk(interest.takesMsgpack());
    await interest.acquire("acme", true);
    t.strictSame(said.slice(2), [["declare", [["acme", true]], []], "barrier"]);
    await interest.acquire("acme", true);
    await interest.acquire("acme", false);
    t.equal(said.length, 4);
    t.ok(interest.takesMsgpack());
    t.strictSame(interest.entries(), [["acme", true]]);
  },
);

t.test("a tenant is kept for a while after its last subscriber, then given up", async (t) => {
  const { interest, said, clock } = openInterest();
  await Promise.all([
    interest.acquire("acme", true),
    interest.acquire("acme", false),
    interest.acquire("globex", false),
  ]);
  interest.release("acme");
  clock.now += 2 * LINGER_MS;
  interest.sweep();
  t.ok(interest.has("acme"), "one subscriber is left");
  interest.release("acme");
  clock.now += LINGER_MS - 1;
  interest.sweep();
  t.ok(interest.has("acme"));
  t.equal(said.length, 2);
  clock.now += 1;
  interest.sweep();
  t.notOk(interest.has("acme"));
  t.notOk(interest.takesMsgpack());
  t.strictSame(said.slice(2), [["declare", [], ["acme"]]]);
  t.strictSame(interest.entries(), [["globex", false]]);
});

t.test("who comes back in that while finds everything in place", async (t) => {
  const { interest, said, clock } = openInterest();
  await interest.acquire("acme", false);
  interest.release("acme");
  clock.now += LINGER_MS - 1;
  await interest.acquire("acme", false);
  clock.now += LINGER_MS;
  interest.sweep();
  t.ok(interest.has("acme"));
  t.equal(said.length, 2);
});

t.test("who comes back later is declared anew, behind the withdrawal", async (t) => {
  const { interest, said, clock } = openInterest();
  await interest.acquire("acme", false);
  interest.release("acme");
  clock.now += LINGER_MS;
  interest.sweep();
  await interest.acquire("acme", false);
  t.strictSame(said.slice(2), [["declare", [], ["acme"]], ["declare", [["acme", false]], []], "barrier"]);
});
