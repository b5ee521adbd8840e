import t from "tap";
import { follow, isClosed, isOpen, isWaiting, standIn } from "./following-client.ts";

for (const transport of ["ws", "sse"] as const) {
  t.test(`over ${transport}`, async (t) => {
    t.test("it waits at least as long as a reconnect message says", async (t) => {
      const gateway = await standIn(t);
      const { states } = follow(t, gateway, { transport });
      const visit = await gateway.visits.next();
      await visit.connected("p0");
      visit.reconnect(40);
      await visit.refuse("going_away");
      const { reason, retryInMs = 0 } = await states.next(isWaiting);
      t.equal(reason, "going_away");
      t.ok(retryInMs >= 40 && retryInMs <= 42);
      t.equal((await gateway.visits.next()).query.get("last_event_id"), "p0");
    });

    for (const code of ["forbidden", "revoked"] as const) {
      t.test(`${code} is the end, even with a token function`, async (t) => {
        const gateway = await standIn(t);
        const { connection, states } = follow(t, gateway, { transport, token: () => "a.b.c" });
        await (await gateway.visits.next()).refuse(code);
        t.match(await states.next(isClosed), { state: "closed", reason: code });
        t.equal(connection.state, "closed");
      });
    }

    for (const code of ["token_invalid", "token_expired"] as const) {
      t.test(`${code} is the end for a plain token`, async (t) => {
        const gateway = await standIn(t);
        const { states } = follow(t, gateway, { transport });
        await (await gateway.visits.next()).refuse(code);
        t.match(await states.next(isClosed), { reason: code });
      });

      t.test(`${code} makes it ask the token function until there is another token`, async (t) => {
        const gateway = await standIn(t);
        const tokens = ["old.b.c", "old.b.c", "old.b.c", "new.b.c"];
        const { states } = follow(t, gateway, { transport, token: async () => tokens.shift() ?? "late.b.c" });
        const first = await gateway.visits.next();
        await first.connected("p0");
        await first.refuse(code);
        const second = await gateway.visits.next();
        t.equal(first.token, "old.b.c");
        t.equal(second.token, "new.b.c");
        t.equal(second.query.get("last_event_id"), "p0");
        t.equal(states.items.filter(({ reason }) => reason === code).length, 3);
      });
    }

    for (const code of ["quota_exceeded", "overloaded"] as const) {
      t.test(`${code} makes it wait and come back`, async (t) => {
        const gateway = await standIn(t);
        const { states } = follow(t, gateway, { transport });
        await (await gateway.visits.next()).refuse(code);
        t.match(await states.next(isWaiting), { reason: code });
        await (await gateway.visits.next()).connected("p0");
        await states.next(isOpen);
      });
    }

    t.test("a token function that fails is asked again", async (t) => {
      const gateway = await standIn(t);
      let calls = 0;
      const { states } = follow(t, gateway, {
        transport,
        token() {
          calls += 1;
          if (calls === 1) throw new Error("no sign-in server");
          return "a.b.c";
        },
      });
      await gateway.visits.next();
      t.match(await states.next(isWaiting), { reason: "token_unavailable" });
    });

    t.test("a token that no header could carry is not sent", async (t) => {
      const gateway = await standIn(t);
      const { states } = follow(t, gateway, { transport, token: "not a\ntoken" });
      t.match(await states.next(isClosed), { reason: "token_invalid" });
      t.equal(gateway.visits.items.length, 0);
    });

    t.test("a gateway that never answers is left after the connect timeout", async (t) => {
      const gateway = await standIn(t);
      const { states } = follow(t, gateway, { transport, connectTimeoutMs: 30 });
      const visit = await gateway.visits.next();
      await visit.over;
      t.match(await states.next(isWaiting), { reason: "timeout" });
      await gateway.visits.next();
    });

    t.test("an open connection that has gone silent is left after the idle timeout", async (t) => {
      const gateway = await standIn(t);
      const { states } = follow(t, gateway, { transport, idleTimeoutMs: 30 });
      await (await gateway.visits.next()).connected("p0");
      t.match(await states.next(isWaiting), { reason: "timeout" });
      t.equal((await gateway.visits.next()).query.get("last_event_id"), "p0");
    });
  });
}

t.test("an error message that ends the connection is passed on before it does", async (t) => {
  const gateway = await standIn(t);
  for (const transport of ["ws", "sse"] as const) {
    const { others, states } = follow(t, gateway, { transport });
    const visit = await gateway.visits.next();
    await visit.connected("p0");
    await visit.refuse("revoked");
    t.same(await others.next(), { code: "revoked", message: "Refused: revoked" });
    await states.next(isClosed);
  }
});

t.test("waits grow while attempts fail, and are short again after a connection that lasted", async (t) => {
  const gateway = await standIn(t);
  const clock = globalThis.performance;
  let aheadMs = 0;
  t.intercept(globalThis, "performance", { value: { now: () => clock.now() + aheadMs } });
  t.intercept(Math, "random", { value: () => 0.75 });
  const { states } = follow(t, gateway, { transport: "ws", backoff: { baseMs: 4, maxMs: 16 } });
  for (let visits = 0; visits < 4; visits++) await (await gateway.visits.next()).refuse("overloaded");

  const visit = await gateway.visits.next();
  await visit.connected("p0");
  await states.next(isOpen);
  aheadMs = 5_000;
  visit.cut();
  await gateway.visits.next();
  t.same(
    states.items.filter(isWaiting).map(({ retryInMs }) => retryInMs),
    [3, 6, 12, 12, 3],
  );
});
