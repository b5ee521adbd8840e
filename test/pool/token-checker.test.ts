import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import { makeTokenChecker, type TokenChecker } from "../../src/pool/token-checker.ts";
import type { Pending, TokenVerdict } from "../../src/pool/verify-tokens.ts";
import { until } from "../support/until.ts";

const TOLERANCE_SECONDS = 5;
const EXPIRES_AT = 1_000;

interface Bench {
  readonly checker: TokenChecker;
  /** The tokens of each call, in order. */
  readonly calls: (readonly string[])[];
  /** Unix time in milliseconds. */
  now: number;
  answer: (token: string) => TokenVerdict;
}

function good(token: string, expiresAt = EXPIRES_AT): TokenVerdict {
  return { identity: { tenant: `tenant of ${token}`, user: "u", expiresAt, roles: [] } };
}

function makeBench(verify?: (tokens: readonly string[]) => Promise<(TokenVerdict | Pending)[]>): Bench {
  const calls: (readonly string[])[] = [];
  const bench = { calls, now: 0, answer: (token: string): TokenVerdict => good(token) };
  const checker = makeTokenChecker({
    verify: async (tokens) => {
      calls.push(tokens);
      return verify === undefined ? tokens.map((token) => bench.answer(token)) : verify(tokens);
    },
    clockToleranceSeconds: TOLERANCE_SECONDS,
    now: () => bench.now,
  });
  return Object.assign(bench, { checker });
}

t.test("all tokens of one turn are verified in one call, each answered with its own verdict", async (t) => {
  const { checker, calls } = makeBench();
  const tokens = Array.from({ length: 64 }, (_, i) => `token-${i}`);
  const verdicts = await Promise.all(tokens.map((token) => checker.check(token)));
  t.strictSame(calls, [tokens]);
  t.strictSame(
    verdicts,
    tokens.map((token) => good(token)),
  );
});

t.test("tokens that come while others are verified go into the next call", async (t) => {
  const { checker, calls } = makeBench();
  const first = checker.check("a");
  await nextTurn();
  const second = [checker.check("b"), checker.check("c")];
  await Promise.all([first, ...second]);
  t.strictSame(calls, [["a"], ["b", "c"]]);
});

t.test("a call has at most 100 tokens", async (t) => {
  const { checker, calls } = makeBench();
  const tokens = Array.from({ length: 250 }, (_, i) => `token-${i}`);
  const verdicts = await Promise.all(tokens.map((token) => checker.check(token)));
  t.strictSame(
    calls.map((call) => call.length),
    [100, 100, 50],
  );
  t.strictSame(
    verdicts,
    tokens.map((token) => good(token)),
  );
});

t.test("the same token twice in one turn is verified once and answered twice", async (t) => {
  const { checker, calls } = makeBench();
  const verdicts = await Promise.all([checker.check("a"), checker.check("b"), checker.check("a")]);
  t.strictSame(calls, [["a", "b"]]);
  t.strictSame(verdicts, [good("a"), good("b"), good("a")]);
});

t.test("a verified token is not verified again", async (t) => {
  const { checker, calls } = makeBench();
  await checker.check("a");
  t.strictSame(await checker.check("a"), good("a"));
  t.equal(calls.length, 1);
});

t.test("the cache never outlives a token's expiry and the tolerance", async (t) => {
  const bench = makeBench();
  const end = (EXPIRES_AT + TOLERANCE_SECONDS) * 1_000;
  await bench.checker.check("a");
  bench.now = end - 1;
  t.strictSame(await bench.checker.check("a"), good("a"), "the last millisecond");
  bench.now = end;
  t.strictSame(await bench.checker.check("a"), { refused: "token_expired" });
  t.equal(bench.calls.length, 1, "which needs no verification");
  bench.answer = () => ({ refused: "token_expired" });
  t.strictSame(await bench.checker.check("a"), { refused: "token_expired" });
  t.equal(bench.calls.length, 2, "and it is kept no longer");
});

t.test("a token is verified again after a while, because its key may have been withdrawn", async (t) => {
  const bench = makeBench();
  bench.now = 1;
  bench.answer = (token) => good(token, 100_000);
  await bench.checker.check("a");
  bench.now = 9 * 60_000;
  await bench.checker.check("a");
  t.equal(bench.calls.length, 1);
  bench.now = 11 * 60_000;
  bench.answer = () => ({ refused: "token_invalid" });
  await until("it to be verified again", async () => "refused" in (await bench.checker.check("a")));
  t.strictSame(await bench.checker.check("a"), { refused: "token_invalid" });
});

t.test("a token whose key is being fetched is asked about again, and holds up no other", async (t) => {
  let fetched = false;
  const { checker, calls } = makeBench(async (tokens) =>
    tokens.map((token) => (token === "slow" && !fetched ? { pending: true } : good(token))),
  );
  const slow = checker.check("slow");
  t.strictSame(await checker.check("a"), good("a"));
  t.strictSame(calls[0], ["slow", "a"]);
  await until("it to be asked about again", () => calls.length > 1);
  fetched = true;
  t.strictSame(await slow, good("slow"));
});

t.test("a refused token is not kept: what was unavailable or too early may be good later", async (t) => {
  const bench = makeBench();
  for (const refused of ["unavailable", "token_invalid", "token_expired"] as const) {
    bench.answer = () => ({ refused });
    t.strictSame(await bench.checker.check("a"), { refused });
  }
  bench.answer = good;
  t.strictSame(await bench.checker.check("a"), good("a"));
  t.equal(bench.calls.length, 4);
});

t.test("a call that fails fails its own tokens, all of them and no others", async (t) => {
  const { checker, calls } = makeBench(async (tokens) => {
    if (tokens.includes("bad")) throw new Error("the thread ended");
    return tokens.map((token) => good(token));
  });
  const tokens = Array.from({ length: 150 }, (_, i) => (i === 120 ? "bad" : `token-${i}`));
  const outcomes = await Promise.allSettled([...tokens, "bad"].map((token) => checker.check(token)));
  t.equal(calls.length, 2);
  for (const [i, outcome] of outcomes.entries()) {
    if (i < 100) t.strictSame(outcome, { status: "fulfilled", value: good(tokens[i]!) });
    else t.match(outcome, { status: "rejected", reason: /the thread ended/ });
  }
  t.strictSame(await checker.check("token-130"), good("token-130"), "and they can be tried again");
});

t.test("fewer verdicts than tokens is a failure, not a token let in", async (t) => {
  const { checker } = makeBench(async (tokens) => tokens.slice(1).map((token) => good(token)));
  const outcomes = await Promise.allSettled(["a", "b"].map((token) => checker.check(token)));
  t.equal(outcomes[1]!.status, "rejected");
});

t.test("the cache is bounded: the longest unused token leaves first", async (t) => {
  const bench = makeBench();
  const long = (i: number) => `${i}-${"x".repeat(1_000_000)}`;
  await bench.checker.check("kept");
  for (let i = 0; i < 20; i++) {
    await bench.checker.check(long(i));
    await bench.checker.check("kept");
  }
  t.equal(bench.calls.flat().filter((token) => token === "kept").length, 1);
  await bench.checker.check(long(19));
  t.equal(bench.calls.flat().filter((token) => token === long(19)).length, 1, "the newest are there");
  await bench.checker.check(long(0));
  t.equal(bench.calls.flat().filter((token) => token === long(0)).length, 2, "the oldest is not");
});
