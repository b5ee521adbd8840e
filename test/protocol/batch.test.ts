import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { type BatchRecord, type BatchSection, decodeBatch, encodeBatch } from "../../src/protocol/batch.ts";
import { anyEntryId, anyText } from "./arbitraries.ts";

const u32 = fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 32 - 1));
const anyRecord: fc.Arbitrary<BatchRecord> = fc.record(
  {
    id: anyEntryId,
    tenant: anyText,
    type: anyText,
    target: anyText,
    jsonTail: fc.uint8Array({ maxLength: 300 }),
    payloadOffset: u32,
    payloadLength: u32,
    msgpackTail: fc.uint8Array({ maxLength: 300 }),
  },
  { noNullPrototype: true },
);
const anySection: fc.Arbitrary<BatchSection> = fc.record(
  { streamKey: anyText, lastId: anyEntryId, records: fc.array(anyRecord, { maxLength: 5 }) },
  { noNullPrototype: true },
);

function record(values: Partial<BatchRecord> = {}): BatchRecord {
  return {
    id: "1-0",
    tenant: "acme",
    type: "order_created",
    target: "",
    jsonTail: Buffer.from(',"data":{}}'),
    payloadOffset: 8,
    payloadLength: 2,
    msgpackTail: new Uint8Array(0),
    ...values,
  };
}

/** With plain arrays for bytes, so that views of different kinds compare. */
function plain(sections: readonly BatchSection[]): unknown {
  return sections.map((section) => ({
    ...section,
    records: section.records.map((one) => ({
      ...one,
      jsonTail: [...one.jsonTail],
      msgpackTail: [...one.msgpackTail],
    })),
  }));
}

t.test("a batch reads as it was written, whatever its texts and bytes", async (t) => {
  fc.assert(
    fc.property(fc.array(anySection, { maxLength: 5 }), (sections) => {
      assert.deepEqual(plain(decodeBatch(encodeBatch(sections))), plain(sections));
    }),
  );
  t.pass("for every batch tried");
});

t.test("the format is the one other workers read", async (t) => {
  const section = { streamKey: "s", lastId: "2-0", records: [record({ tenant: "é", type: "t", target: "u" })] };
  const text = (value: string) => [0, Buffer.byteLength(value), ...Buffer.from(value)];
  const body = [
    ...[...text("1-0"), ...text("é"), ...text("t"), ...text("u")],
    ...[0, 0, 0, 8, 0, 0, 0, 2],
    ...[0, 0, 0, 11, ...Buffer.from(',"data":{}}')],
    ...[0, 0, 0, 0],
  ];
  const rest = [...text("s"), ...text("2-0"), 0, 0, 0, 1, 0, 0, 0, body.length, ...body];
  t.strictSame([...encodeBatch([section])], [0, 0, 0, rest.length, ...rest]);
});

t.test("names that look alike stay apart", async (t) => {
  const tenants = ["acme", "\ufeffacme", "acme\0", "é", "e\u0301", "\u{10ffff}"];
  const sections = [{ streamKey: "s", lastId: "9-0", records: tenants.map((tenant) => record({ tenant })) }];
  const [read] = decodeBatch(encodeBatch(sections));
  t.strictSame(
    read!.records.map(({ tenant }) => tenant),
    tenants,
  );
});

t.test("a section without records still says how far its stream was read", async (t) => {
  const sections = [{ streamKey: "s", lastId: "5-1", records: [] }];
  t.strictSame(decodeBatch(encodeBatch(sections)), sections);
  t.strictSame(decodeBatch(encodeBatch([])), []);
});

t.test("a batch grows with its largest record", async (t) => {
  const jsonTail = Buffer.alloc(3 << 20, "x");
  const sections = [{ streamKey: "s", lastId: "1-0", records: [record(), record({ jsonTail }), record()] }];
  const [read] = decodeBatch(encodeBatch(sections));
  t.strictSame(
    read!.records.map((one) => one.jsonTail.length),
    [11, 3 << 20, 11],
  );
  t.ok(jsonTail.equals(read!.records[1]!.jsonTail));
});

t.test("what is decoded are views, of a batch anywhere in a larger buffer too", async (t) => {
  const batch = encodeBatch([{ streamKey: "s", lastId: "1-0", records: [record()] }]);
  const surrounded = Buffer.concat([Buffer.alloc(7), batch, Buffer.alloc(5)]);
  const [read] = decodeBatch(surrounded.subarray(7, 7 + batch.length));
  const [one] = read!.records;
  t.equal(Buffer.from(one!.jsonTail).toString(), ',"data":{}}');
  t.equal(one!.jsonTail.buffer, surrounded.buffer);
});

t.test("an encoded batch owns its memory, so that it can be transferred", async (t) => {
  const batch = encodeBatch([{ streamKey: "s", lastId: "1-0", records: [record()] }]);
  t.equal(batch.buffer.byteLength, batch.length);
  const other = encodeBatch([{ streamKey: "t", lastId: "2-0", records: [] }]);
  t.not(other.buffer, batch.buffer);
});
