import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { packMessage, unpackMessage } from "../../src/protocol/msgpack.ts";

const bytes = (...values: (number | string)[]) =>
  new Uint8Array(values.flatMap((value) => (typeof value === "string" ? [...Buffer.from(value)] : [value])));

t.test("values are written in their shortest standard form", async (t) => {
  t.strictSame([...packMessage({})], [0x80]);
  t.strictSame([...packMessage({ a: 1 })], [0x81, 0xa1, 0x61, 0x01]);
  t.strictSame(
    [...packMessage([null, true, -1, 127, 128, 1.5])],
    [0x96, 0xc0, 0xc3, 0xff, 0x7f, 0xcc, 0x80, 0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0],
  );
  t.strictSame([...packMessage({ u: undefined })], [0x81, 0xa1, 0x75, 0xc0], "undefined as nil, no extension");
  const wide = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, i]));
  t.strictSame([...packMessage(wide).subarray(0, 3)], [0xde, 0x00, 0x10], "a map that does not fit the short form");
});

t.test("what JSON can say comes back as it was", async (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain = JSON.parse(JSON.stringify(value).replaceAll('"__proto__":', '"proto":'));
      assert.deepEqual(unpackMessage(packMessage(plain)), plain);
    }),
  );
  t.pass("for every value tried");
});

t.test("a packed message is not touched by later ones", async (t) => {
  const first = packMessage({ text: "first" });
  const before = [...first];
  for (let i = 0; i < 10_000; i++) packMessage({ text: "other".repeat(i % 50) });
  t.strictSame([...first], before);
});

t.test("64-bit integers stay exact", async (t) => {
  t.equal(unpackMessage(bytes(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1)), 9007199254740993n);
  t.equal(unpackMessage(bytes(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)), 18446744073709551615n);
  t.equal(unpackMessage(bytes(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0)), -9223372036854775808n);
  t.equal(unpackMessage(bytes(0xcf, 0, 0, 0, 0, 0, 0, 0, 7)), 7, "as numbers where numbers hold them");
});

t.test("a payload's own words for methods are data", async (t) => {
  const value = JSON.parse('{"toJSON":1,"constructor":"x","hasOwnProperty":true,"then":null,"valueOf":[]}');
  t.strictSame(unpackMessage(packMessage(value)), value);
});

t.test("a key named __proto__ reaches no prototype", async (t) => {
  const packed = packMessage(JSON.parse('{"__proto__":{"polluted":true},"a":{"__proto__":{"polluted":true}}}'));
  const value = unpackMessage(packed) as Record<string, unknown>;
  t.equal(Object.getPrototypeOf(value), Object.prototype);
  t.equal(value.polluted, undefined);
  t.equal(({} as Record<string, unknown>).polluted, undefined);
});

t.test("bytes that are not one whole value are refused", async (t) => {
  const packed = packMessage({ type: "ping", list: [1, 2, 3] });
  for (let length = 0; length < packed.length; length++) t.throws(() => unpackMessage(packed.subarray(0, length)));
  t.throws(() => unpackMessage(bytes(0x01, 0x02)), "two values");
  t.throws(() => unpackMessage(bytes(0xc7, 0x01, 0x50, 0x00)), "an extension nobody knows");
});

t.test("a length that promises more than there is takes no memory", async (t) => {
  for (const head of [0xdd, 0xdf, 0xdb, 0xc6, 0xc9]) t.throws(() => unpackMessage(bytes(head, 0x7f, 0xff, 0xff, 0xff)));
  const nested = bytes(...Array.from({ length: 3_000 }, () => [0xdd, 0x01, 0xff, 0xff, 0xff]).flat());
  t.throws(() => unpackMessage(nested));
});

t.test("a few bytes cannot stand for a structure of gigabytes", async (t) => {
  // Each list would hold the one before ten times, by reference: extensions 0x69 and 0x70 of this library.
  const named = (id: number) => [0xd6, 0x69, 0, 0, 0, id];
  const again = (id: number) => [0xd6, 0x70, 0, 0, 0, id];
  const lists = Array.from({ length: 15 }, (_, level) => [
    ...[...named(level + 1), 0x9a],
    ...Array.from({ length: 10 }, () => (level === 0 ? [0x01] : again(level))).flat(),
  ]);
  t.throws(() => unpackMessage(bytes(0x9f, ...lists.flat())), /disabled/);
});

t.test("what one message defines does not change how the next is read", async (t) => {
  const definesRecord = bytes(0xd4, 0x72, 0x40, 0x91, 0xa1, "x", 0x05);
  const outcome = () => unpackMessage(bytes(0x92, 0x40, 0x41));
  const before = outcome();
  try {
    unpackMessage(definesRecord);
  } catch {
    // Refused or not, it must leave nothing behind.
  }
  t.strictSame(outcome(), before);
  t.strictSame(before, [64, 65]);
});

t.test("after any bytes, good messages are still read and written", async (t) => {
  const message = { type: "subscribe", subscriptions: ["a", "b*"] };
  const packed = packMessage(message);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      try {
        unpackMessage(noise);
      } catch {
        // Most noise is no message.
      }
      assert.deepEqual(unpackMessage(packed), message);
      assert.deepEqual([...packMessage(message)], [...packed]);
    }),
    { numRuns: 2_000 },
  );
  t.pass("for all noise tried");
});

t.test("a value nested too deeply is an error, after which the next is packed well", async (t) => {
  let deep: unknown = 0;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  t.throws(() => packMessage(deep), RangeError);
  t.strictSame([...packMessage({ a: 1 })], [0x81, 0xa1, 0x61, 0x01]);
  t.throws(() => unpackMessage(new Uint8Array(100_000).fill(0x91)), "nor is such a one read");
});
