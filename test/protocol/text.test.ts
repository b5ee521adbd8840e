import fc from "fast-check";
import t from "tap";
import { fitsUtf8, hasControlCharacter, isWellFormed, utf8Length } from "../../src/protocol/text.ts";

const anyUnits = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });

t.test("the length is that of the UTF-8 form", async (t) => {
  t.equal(utf8Length("aé€😀"), 1 + 2 + 3 + 4);
  fc.assert(
    fc.property(anyUnits, fc.nat(40), (text, bytes) => {
      return utf8Length(text) === Buffer.byteLength(text) && fitsUtf8(text, bytes) === utf8Length(text) <= bytes;
    }),
  );
});

t.test("text is well formed unless it has half a surrogate pair", async (t) => {
  for (const text of ["", "a", "😀", "\ufffd", "\ufeff"]) t.ok(isWellFormed(text));
  for (const text of ["\ud83d", "\ude00", "a\ude00\ud83d", "😀\ud83d"]) t.notOk(isWellFormed(text));
  fc.assert(fc.property(anyUnits, (text) => isWellFormed(text) === (Buffer.from(text).toString() === text)));
});

t.test("control characters are found wherever they stand", async (t) => {
  for (const text of ["\n", "a\rb", "\0", "tab\t", "\x7f", "\u0085"])
    t.ok(hasControlCharacter(text), JSON.stringify(text));
  for (const text of ["", "order_created", "a b", "é😀", "\u2028", "\u200b"]) t.notOk(hasControlCharacter(text));
});
