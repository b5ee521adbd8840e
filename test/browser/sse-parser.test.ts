import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { type SseMessage, SseParser } from "../../src/browser/sse-parser.ts";

function parse(...chunks: (string | Uint8Array)[]): SseMessage[] {
  const messages: SseMessage[] = [];
  const parser = new SseParser((message) => messages.push(message));
  for (const chunk of chunks) parser.push(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
  return messages;
}

/** The bytes, cut at the given places (each a fraction of the whole). */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => Math.floor(place * bytes.length)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

// Text without the characters that mean something to the format at any place.
const text = fc
  .string({ unit: "grapheme", maxLength: 12 })
  .map((s) => s.replace(/[\r\n\0]/g, ""))
  .filter((s) => !s.startsWith("\u{feff}"));
const event = fc.record({
  type: text.filter((s) => s !== ""),
  data: fc.array(text, { minLength: 1, maxLength: 3 }),
  id: fc.option(text),
  comment: fc.option(text),
  isSpaced: fc.boolean(),
});
const lineEnd = fc.constantFrom("\n", "\r", "\r\n");
const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 });

t.test("events come out as they were written, whatever the line ends, the cuts and a byte order mark", async (t) => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 5 }), lineEnd, places, fc.boolean(), (events, eol, places, hasBom) => {
      let stream = hasBom ? "\u{feff}" : "";
      let lastEventId = "";
      const expected: SseMessage[] = [];
      for (const { type, data, id, comment, isSpaced } of events) {
        // One space behind the colon is not part of the value; so a value that starts with one needs another.
        const field = (name: string, value: string) =>
          `${name}:${isSpaced || value.startsWith(" ") ? " " : ""}${value}${eol}`;
        if (comment !== null) stream += `:${comment}${eol}`;
        stream += field("event", type);
        if (id !== null) stream += field("id", id);
        stream += data.map((line) => field("data", line)).join("") + eol;
        lastEventId = id ?? lastEventId;
        expected.push({ type, data: data.join("\n"), lastEventId, hasOwnId: id !== null });
      }
      assert.deepEqual(parse(...cut(new TextEncoder().encode(stream), places)), expected);
    }),
  );
  t.pass("for every stream tried");
});

t.test("any bytes at all give the same events in one piece and in many", async (t) => {
  const noise = fc
    .array(fc.constantFrom("data", "event", "id", "retry", ":", " ", "\r", "\n", "\r\n", "\0", "é", "\u{1f600}", "x"))
    .map((parts) => new TextEncoder().encode(parts.join("")));
  fc.assert(
    fc.property(fc.oneof(noise, fc.uint8Array({ maxLength: 200 })), places, (bytes, places) => {
      assert.deepEqual(parse(...cut(bytes, places)), parse(bytes));
    }),
  );
  t.pass("for all bytes tried");
});

t.test("an event without a type is a message", async (t) => {
  t.same(parse("data: x\n\n"), [{ type: "message", data: "x", lastEventId: "", hasOwnId: false }]);
});

t.test("an id holds for the events after it, and is their own only where it stands", async (t) => {
  t.same(
    parse("id: 1\ndata: a\n\ndata: b\n\n").map(({ lastEventId, hasOwnId }) => [lastEventId, hasOwnId]),
    [
      ["1", true],
      ["1", false],
    ],
  );
});

t.test("an id with a NUL in it is ignored", async (t) => {
  t.equal(parse("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n")[1]?.lastEventId, "1");
});

t.test("an event without data is not given out, but its id counts", async (t) => {
  t.same(parse("event: x\nid: 7\n\ndata: y\n\n"), [{ type: "message", data: "y", lastEventId: "7", hasOwnId: false }]);
});

t.test("an empty data line counts as data", async (t) => {
  t.same(
    parse("data\n\ndata\ndata\n\ndata:\n\n").map(({ data }) => data),
    ["", "\n", ""],
  );
});

t.test("unknown fields, retry and comments are skipped", async (t) => {
  t.same(
    parse(": hello\nretry: 3000\nfoo: bar\ndata: x\n\n").map(({ data }) => data),
    ["x"],
  );
});

t.test("an event that the stream ends in the middle of is not given out", async (t) => {
  t.same(parse("data: x\n\ndata: y\n"), [{ type: "message", data: "x", lastEventId: "", hasOwnId: false }]);
});

t.test("an event is given out as soon as its empty line ends, even where that ends with a CR", async (t) => {
  t.equal(parse("data: x\r\r").length, 1);
});

t.test("bytes that are not UTF-8 become replacement characters and nothing else breaks", async (t) => {
  t.equal(parse(Uint8Array.from([...Buffer.from("data: "), 0xff, 0x0a, 0x0a]))[0]?.data, "\u{fffd}");
});
