import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import {
  type Cursor,
  cursorBefore,
  decodeCursor,
  encodeCursor,
  encodePosition,
  MAX_CURSOR_LENGTH,
  type Position,
  START,
  type TopicPositions,
  topicTag,
} from "../../src/protocol/cursor.ts";
import { previousEntryId, ZERO_ID } from "../../src/protocol/entry-id.ts";
import { anyEntryId, realisticEntryId } from "./arbitraries.ts";

const TOPICS = ["orders", "notifications", "system", "payments", "shipping", "audit-log", "chat_rooms", "x"];
const MOST_PARTITIONS = 1024;

const anyEpoch = fc.oneof(fc.constant(0), fc.nat(), fc.maxSafeInteger().map(Math.abs));
const anyPosition = fc.record({ id: anyEntryId, epoch: anyEpoch }, { noNullPrototype: true });
/** A stream that was lost more often than once a month, for five years. */
const realisticPosition = fc.record({ id: realisticEntryId, epoch: fc.nat(63) }, { noNullPrototype: true });

function anyCursor(position: fc.Arbitrary<Position>, minTopics: number, maxTopics: number): fc.Arbitrary<Cursor> {
  const anyTopics = fc.subarray(TOPICS, { minLength: minTopics, maxLength: maxTopics });
  const partition = fc.nat(MOST_PARTITIONS - 1);
  const positions = fc.array(fc.tuple(position, position), { minLength: maxTopics, maxLength: maxTopics });
  const eventKind = fc.constantFrom("none", "shared", "partitioned");
  return fc.tuple(partition, anyTopics, positions, eventKind).map(([partition, topics, positions, kind]) => {
    const entries = topics.map((topic, i): [string, TopicPositions] => {
      return [topicTag(topic), { shared: positions[i]![0], partitioned: positions[i]![1] }];
    });
    const [tag, last] = entries.at(-1)!;
    const cursor = { partition, topics: new Map(entries) };
    return kind === "none" || last[kind].id === ZERO_ID ? cursor : { ...cursor, event: { tag, kind } };
  });
}

t.test("a cursor reads as it was written, for all 64-bit ids and all epochs", async (t) => {
  fc.assert(
    fc.property(anyCursor(anyPosition, 1, 3), (cursor) => {
      assert.deepEqual(decodeCursor(encodeCursor(cursor)), cursor);
    }),
  );
  t.pass("for every cursor tried");
});

t.test("a cursor over the most topics a gateway reads keeps to its alphabet and length", async (t) => {
  fc.assert(
    fc.property(anyCursor(realisticPosition, TOPICS.length, TOPICS.length), (cursor) => {
      const text = encodeCursor(cursor);
      assert.match(text, /^[A-Za-z0-9._~-]+$/);
      assert.ok(text.length <= MAX_CURSOR_LENGTH, `${text.length} characters`);
      assert.deepEqual(decodeCursor(text), cursor);
    }),
  );
  t.pass("for every cursor tried");
});

t.test("before the cursor of an event stands one that differs in that event alone", async (t) => {
  fc.assert(
    fc.property(anyCursor(anyPosition, 1, 3), (cursor) => {
      const { partition, topics, event } = cursor;
      const before = cursorBefore(cursor);
      if (event === undefined) return assert.deepEqual(before, { partition, topics });
      const { id, epoch } = topics.get(event.tag)![event.kind];
      const changed = { ...topics.get(event.tag)!, [event.kind]: { id: previousEntryId(id), epoch } };
      assert.deepEqual(before, { partition, topics: new Map(topics).set(event.tag, changed) });
    }),
  );
  t.pass("for every cursor tried");
});

t.test("text that is not a cursor decodes to null, and never throws", async (t) => {
  const position = encodePosition({ id: "1700000000000-5", epoch: 2 });
  const part = `.${topicTag("orders")}${position}.`;
  t.ok(decodeCursor(`1-${part}`), "what the refused ones are made of");
  const refused = [
    "",
    "1",
    "12345",
    "1700000000000-0",
    "2-.abc.",
    "1.abc.",
    "1-.abc",
    "1-.ab.",
    "1-.ab*.",
    `1-${part}${part}`,
    `1-${part}~~~~`,
    `1-.${topicTag("orders")}~A.~A`,
    `1-${part}~`,
    `1-${part}A~`,
    `1-${part}--A`,
    `1-${part}-`,
    `1-${part}A~-`,
    `1-${part}A~A~-`,
    `1--${part}`,
    `1-${part}F----------`,
    `1-${part} `,
    `1-${part}é`,
    `1zzzzzzzzzzz${part}`,
    "__proto__",
    `1-${".abc.".repeat(60)}`,
  ];
  for (const text of refused) t.equal(decodeCursor(text), null, JSON.stringify(text));
});

t.test("whatever decodes at all encodes to the same text again", async (t) => {
  const anyCharacters = fc.string({ unit: "binary", maxLength: 300 });
  const likely = fc
    .array(fc.constantFrom("1", ".", "~", "-", "A", "zz", ".abc", ".abcFoo.Bar", "~1", "..", "F~~"), { maxLength: 12 })
    .map((pieces) => `1${pieces.join("")}`);
  const damaged = fc
    .tuple(anyCursor(anyPosition, 1, 2), fc.nat(), fc.constantFrom("", "-", "0", "~", ".", "A", "é", "\n"))
    .map(([cursor, at, inserted]) => {
      const text = encodeCursor(cursor);
      const place = at % text.length;
      return text.slice(0, place) + inserted + text.slice(place + (at % 2));
    });
  fc.assert(
    fc.property(fc.oneof(anyCharacters, likely, damaged), (text) => {
      const cursor = decodeCursor(text);
      if (cursor !== null) assert.equal(encodeCursor(cursor), text);
    }),
    { numRuns: 2_000 },
  );
  t.pass("for every text tried");
});

t.test("a position nothing was ever read at takes no space", async (t) => {
  t.equal(encodePosition(START), "");
  t.not(encodePosition({ id: "0-0", epoch: 1 }), "", "unless the stream was lost since");
});

t.test("positions keep their text when a gateway is replaced by the next version", async (t) => {
  t.equal(encodePosition({ id: "1700000000000-0", epoch: 0 }), "NjEtLV-");
  t.equal(encodePosition({ id: "1700000000000-63", epoch: 0 }), "NjEtLV-~z");
  t.equal(encodePosition({ id: "1700000000000-64", epoch: 1 }), "NjEtLV-~0-~0");
  t.strictSame(["orders", "notifications", "system"].map(topicTag), ["ddv", "hyv", "WYQ"]);
});

t.test("a topic's tag is three digits, and differs between the topics of any real gateway", async (t) => {
  t.equal(new Set(TOPICS.map(topicTag)).size, TOPICS.length);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (topic) => /^[A-Za-z0-9_-]{3}$/.test(topicTag(topic))));
});
