import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { packEntries, transferListOf, unpackEntries } from "../../src/pool/raw-transfer.ts";
import type { RawSection } from "../../src/protocol/event.ts";
import { anyEntryId, anyText } from "../protocol/arbitraries.ts";

const value = fc.uint8Array({ maxLength: 50 });
const fields = fc.option(fc.array(value, { maxLength: 6 }), { nil: null });
const entry = fc.record({ id: anyEntryId, fields }, { noNullPrototype: true });
const anySection: fc.Arbitrary<RawSection> = fc.record(
  { key: anyText, topic: anyText, entries: fc.array(entry, { maxLength: 5 }) },
  { noNullPrototype: true },
);

t.test("what is unpacked in a thread is what was packed", async (t) => {
  fc.assert(
    fc.property(fc.array(anySection, { maxLength: 4 }), (raw) => {
      const packed = packEntries(raw);
      const arrived = structuredClone(packed, { transfer: transferListOf(packed) });
      assert.deepEqual(unpackEntries(arrived), raw);
    }),
  );
  t.pass("for everything tried");
});

t.test("the bytes are handed over, not copied, and the entries stay with the sender", async (t) => {
  const raw = [{ key: "k", topic: "orders", entries: [{ id: "1-0", fields: [Buffer.from("m"), Buffer.from("x")] }] }];
  const packed = packEntries(raw);
  structuredClone(packed, { transfer: transferListOf(packed) });
  t.equal(packed.bytes.length, 0, "gone from here");
  t.equal(raw[0]!.entries[0]!.fields[1]!.toString(), "x");
});

t.test("a deleted entry and one without fields are not the same", async (t) => {
  const entries = [
    { id: "1-0", fields: null },
    { id: "2-0", fields: [] },
  ];
  t.strictSame(unpackEntries(packEntries([{ key: "k", topic: "t", entries }])), [{ key: "k", topic: "t", entries }]);
});
