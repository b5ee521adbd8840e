import fc from "fast-check";
import t from "tap";
import { MAX_NAME_BYTES, readName } from "../../src/protocol/identity.ts";

t.test("a name is text, or an integer written as text", async (t) => {
  t.equal(readName("acme"), "acme");
  t.equal(readName("Jürgen 😀"), "Jürgen 😀");
  t.equal(readName("__proto__"), "__proto__");
  t.equal(readName(0), "0");
  t.equal(readName(-7), "-7");
  t.equal(readName(42), readName("42"));
  t.equal(readName(18446744073709551615n), "18446744073709551615");
  t.equal(readName(-9223372036854775808n), "-9223372036854775808");
});

t.test("two different numbers never become one name", async (t) => {
  t.equal(readName(2 ** 53 - 1), "9007199254740991");
  for (const rounded of [2 ** 53, 2 ** 53 + 2, -(2 ** 53), 1e21, Number.POSITIVE_INFINITY, Number.NaN, 1.5]) {
    t.equal(readName(rounded), null, String(rounded));
  }
  t.equal(readName(JSON.parse("9007199254740993")), null);
  t.not(readName(9007199254740993n), readName(9007199254740992n));
});

t.test("text that would change on its way is no name", async (t) => {
  for (const half of ["\ud800", "a\udc00b", "\udc00\ud800"]) t.equal(readName(half), null, JSON.stringify(half));
  t.equal(readName("\ufeffacme"), null, "a byte order mark in front");
});

t.test("a name has 1 to 256 bytes of UTF-8", async (t) => {
  t.equal(readName(""), null);
  t.equal(readName("x".repeat(MAX_NAME_BYTES)), "x".repeat(MAX_NAME_BYTES));
  t.equal(readName("x".repeat(MAX_NAME_BYTES + 1)), null);
  t.equal(readName("é".repeat(MAX_NAME_BYTES / 2)), "é".repeat(MAX_NAME_BYTES / 2));
  t.equal(readName("é".repeat(MAX_NAME_BYTES / 2 + 1)), null);
  t.equal(readName("😀".repeat(MAX_NAME_BYTES / 4)), "😀".repeat(MAX_NAME_BYTES / 4));
  t.equal(readName("😀".repeat(MAX_NAME_BYTES / 4 + 1)), null);
  t.equal(readName(2n ** 64n), null, "nor do integers of more than 64 bits count");
});

t.test("nothing else is a name", async (t) => {
  for (const value of [undefined, null, true, [], ["acme"], {}, { toString: () => "acme" }, Symbol("acme")]) {
    t.equal(readName(value), null);
  }
});

t.test("different texts stay different, and any value is a name or null", async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const name = readName(text);
      return name === null || name === text;
    }),
  );
  fc.assert(
    fc.property(fc.anything({ withBigInt: true }), (value) => {
      const name = readName(value);
      return name === null || (typeof name === "string" && name !== "" && Buffer.byteLength(name) <= MAX_NAME_BYTES);
    }),
  );
  t.pass("for everything tried");
});
