import fc from "fast-check";
import t from "tap";
import {
  EVERYTHING,
  MAX_PATTERN_LENGTH,
  MAX_PATTERNS,
  makeFilter,
  matches,
  parseSubscriptions,
  parseTypesParameter,
} from "../../src/protocol/filter.ts";

/** Few letters, so that patterns cover, repeat and almost meet each other. */
const name = fc.string({ unit: fc.constantFrom("a", "b", "_", ",", "%", "*", "é"), minLength: 1, maxLength: 5 });
const pattern = fc.oneof(
  name,
  name.map((text) => `${text}*`),
);
const patterns = fc.array(pattern, { minLength: 1, maxLength: 8 });
const types = fc.array(name, { minLength: 30, maxLength: 30 });

/** What a list of patterns means, before it is brought into its normal form. */
function rawMatch(list: readonly string[], type: string): boolean {
  return list.some((one) => (one.endsWith("*") ? type.startsWith(one.slice(0, -1)) : type === one));
}

/** Types at which two lists of patterns could differ: their own names and prefixes, and just beside them. */
function typesAround(list: readonly string[]): string[] {
  return list
    .flatMap((one) => [one, one.replace(/\*$/, ""), `${one.replace(/\*$/, "")}a`, one.slice(0, -2)])
    .filter(Boolean);
}

t.test("a filter matches exactly what the patterns it was made of match", async (t) => {
  fc.assert(
    fc.property(patterns, types, (list, types) => {
      const filter = makeFilter(list);
      return [...types, ...typesAround(list)].every((type) => matches(filter, type) === rawMatch(list, type));
    }),
    { numRuns: 500 },
  );
  t.pass("for everything tried");
});

t.test("two filters have the same key if and only if they match the same types", async (t) => {
  fc.assert(
    fc.property(patterns, patterns, types, (a, b, types) => {
      const [filterA, filterB] = [makeFilter(a), makeFilter(b)];
      const sample = [...types, ...typesAround(a), ...typesAround(b)];
      const alike = sample.every((type) => matches(filterA, type) === matches(filterB, type));
      return (filterA.key === filterB.key) === alike;
    }),
    { numRuns: 2_000 },
  );
  fc.assert(fc.property(patterns, (list) => makeFilter([...list, ...list].reverse()).key === makeFilter(list).key));
  t.pass("for everything tried");
});

t.test("no type is matched by two patterns of one filter", async (t) => {
  fc.assert(
    fc.property(patterns, types, (list, types) => {
      const filter = makeFilter(list);
      return [...types, ...typesAround(list)].every(
        (type) => filter.patterns.filter((one) => rawMatch([one], type)).length <= 1,
      );
    }),
    { numRuns: 500 },
  );
  t.pass("for everything tried");
});

t.test("no patterns, and a star alone, mean everything", async (t) => {
  for (const list of [[], ["*"], ["a", "*"], ["*", "a*"]]) t.equal(makeFilter(list), EVERYTHING);
  t.ok(matches(EVERYTHING, "anything"));
  t.not(makeFilter(["**"]).key, EVERYTHING.key, "types that start with a star are not everything");
});

t.test("a filter names each thing once, in order", async (t) => {
  t.strictSame(makeFilter(["order_failed", "order_*", "payment", "order_", "payment"]).patterns, [
    "order_*",
    "payment",
  ]);
  t.strictSame(makeFilter(["b", "a*", "ab*"]).patterns, ["a*", "b"]);
  t.strictSame(makeFilter(["a", "a*b"]).patterns, ["a", "a*b"], "a star inside a name is a character");
});

t.test("the types parameter is a list with commas; spaces and empty items do not count", async (t) => {
  t.strictSame(parseTypesParameter("order_created, payment* ,,"), ["order_created", "payment*"]);
  t.strictSame(parseTypesParameter(""), []);
  t.strictSame(parseTypesParameter(" , "), []);
});

t.test("subscriptions are a list of types; all, alone or listed, means everything", async (t) => {
  t.strictSame(parseSubscriptions(["b", "a"]), ["b", "a"]);
  for (const value of ["all", [], ["all"], ["a", "all"]]) t.strictSame(parseSubscriptions(value), []);
  for (const value of [undefined, null, "", "order_created", 5, {}, { length: 0 }, true]) {
    t.match(parseSubscriptions(value), { problem: /must be a list/ }, JSON.stringify(value));
  }
});

t.test("a type that cannot be subscribed to is a problem, not an error", async (t) => {
  const wrong = ["", "x".repeat(MAX_PATTERN_LENGTH + 1), "\ud800", 5, null, ["a"], {}, 5n];
  for (const value of wrong) t.match(parseSubscriptions(["a", value]), { problem: /an event type is text/ });
  t.strictSame(parseSubscriptions(["x".repeat(MAX_PATTERN_LENGTH)]), ["x".repeat(MAX_PATTERN_LENGTH)]);
  t.match(parseTypesParameter("x".repeat(MAX_PATTERN_LENGTH + 1)), { problem: /an event type is text/ });
});

t.test("there is a most of patterns in one subscription", async (t) => {
  const list = Array.from({ length: MAX_PATTERNS }, (_, i) => `type_${i}`);
  t.strictSame(parseSubscriptions(list), list);
  t.match(parseSubscriptions([...list, "one_more"]), { problem: /at most 128/ });
  t.match(parseTypesParameter([...list, "one_more"].join(",")), { problem: /at most 128/ });
});

t.test("any value at all is either a list of patterns or a problem", async (t) => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => {
      const parsed = parseSubscriptions(value);
      if ("problem" in parsed) return typeof parsed.problem === "string";
      return typeof makeFilter(parsed).key === "string";
    }),
  );
  t.pass("for everything tried");
});
