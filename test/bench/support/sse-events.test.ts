import fc from "fast-check";
import t from "tap";
import { SseEvents } from "../../../bench/support/sse-events.ts";
import { anyCuts, pushInPieces } from "./pieces.ts";

function listen(): { events: SseEvents; heard: string[] } {
  const heard: string[] = [];
  const events = new SseEvents({
    message: (bytes, start, end) => heard.push(bytes.toString("utf8", start, end)),
    closed: () => heard.push("(closed)"),
  });
  return { events, heard };
}

/** Cuts a body into HTTP chunks (RFC 9112 section 7.1) at these places. */
function chunked(body: Buffer, cuts: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  pushInPieces(body, cuts, (bytes, start, end) => {
    if (start === end) return;
    parts.push(Buffer.from(`${(end - start).toString(16)}\r\n`), Buffer.from(bytes.subarray(start, end)));
    parts.push(Buffer.from("\r\n"));
  });
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

const anyEvent = fc
  .array(fc.string({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 4 })
  .map((lines) => lines.map((line) => `data: ${line}`).join("\n"));

t.test("wherever chunks end and the stream is cut, the same events are read", async (t) => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 8 }), anyCuts, anyCuts, (said, chunkCuts, cuts) => {
      const { events, heard } = listen();
      const body = Buffer.from(said.map((event) => `${event}\n\n`).join(""));
      pushInPieces(chunked(body, chunkCuts), cuts, (bytes, start, end) => events.push(bytes, start, end));
      t.strictSame(heard, [...said, "(closed)"]);
    }),
    { numRuns: 300 },
  );
});

t.test("one byte at a time, the same events are read", async (t) => {
  const said = ["event: a\ndata: 1", `data: ${"x".repeat(600)}`, "data: last"];
  const body = Buffer.from(said.map((event) => `${event}\n\n`).join(""));
  const stream = chunked(
    body,
    Array.from(body, (_, i) => i / body.length),
  );
  const { events, heard } = listen();
  const cuts = Array.from(stream, (_, i) => i / stream.length);
  pushInPieces(stream, cuts, (bytes, start, end) => events.push(bytes, start, end));
  t.strictSame(heard, [...said, "(closed)"]);
});

t.test("a chunk may have extensions, and its size must be a number", async (t) => {
  const { events, heard } = listen();
  const stream = Buffer.from('9;name="value"\r\ndata: 1\n\n\r\n');
  events.push(stream, 0, stream.length);
  t.strictSame(heard, ["data: 1"]);
  t.throws(() => listen().events.push(Buffer.from("HTTP"), 0, 4), { message: /not a number/ });
});
