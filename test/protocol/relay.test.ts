import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { frameBatch, frameMessage, type RelayMessage, RelayReader } from "../../src/protocol/relay.ts";
import { anyEntryId, anyText } from "./arbitraries.ts";

const anyPositions = fc.array(fc.tuple(anyText, anyEntryId), { maxLength: 4 });
const anyMessage: fc.Arbitrary<RelayMessage> = fc.oneof(
  fc.record({ kind: fc.constant("hello" as const), incarnation: fc.nat(), socketPath: anyText }),
  fc.record({ kind: fc.constant("welcome" as const) }),
  fc.record({
    kind: fc.constant("interest" as const),
    add: fc.array(fc.tuple(anyText, fc.boolean()), { maxLength: 4 }),
    remove: fc.array(anyText, { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant("barrier" as const), number: fc.nat() }),
  fc.record({ kind: fc.constant("passed" as const), number: fc.nat(), positions: anyPositions }),
  fc.record({ kind: fc.constant("progress" as const), positions: anyPositions }),
  fc.record({ kind: fc.constant("handover" as const), move: fc.nat(), positions: anyPositions }),
);
const anyFrame = fc.oneof(
  anyMessage.map((message) => ({ message })),
  fc.uint8Array({ maxLength: 400 }).map((batch) => ({ batch: [...batch] })),
);
type Frame = ReturnType<typeof anyFrame.generate>["value"];

function encode(frame: Frame): Uint8Array {
  return "batch" in frame ? frameBatch(Uint8Array.from(frame.batch)) : frameMessage(frame.message);
}

/** What a reader makes of these pieces. */
function read(chunks: readonly Uint8Array[]): Frame[] {
  const frames: Frame[] = [];
  const reader = new RelayReader({
    message: (message) => frames.push({ message }),
    batch: (bytes) => frames.push({ batch: [...bytes] }),
  });
  for (const chunk of chunks) reader.push(chunk);
  return frames;
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

t.test("however the bytes are cut into pieces, the same frames come out in the same order", async () => {
  const places = fc.array(fc.nat(100_000), { maxLength: 40 });
  const property = fc.property(fc.array(anyFrame, { maxLength: 8 }), places, (frames, cuts) => {
    const bytes = Buffer.concat(frames.map(encode));
    assert.deepEqual(plain(read(cut(bytes, cuts))), plain(frames));
  });
  fc.assert(property, { numRuns: 500 });
});

t.test("frames come out of single bytes, and out of one piece that holds them all", async (t) => {
  const frames: Frame[] = [{ batch: [1, 2, 3] }, { message: { kind: "barrier", number: 7 } }, { batch: [] }];
  const bytes = Buffer.concat(frames.map(encode));
  t.strictSame(read([...bytes].map((byte) => Uint8Array.of(byte))), frames);
  t.strictSame(read([bytes]), frames);
});

t.test("a frame that is not complete is waited for", async (t) => {
  const bytes = encode({ batch: [1, 2, 3] });
  for (let end = 0; end < bytes.length; end++) t.strictSame(read([bytes.subarray(0, end)]), [], `${end} bytes`);
});

t.test("a frame is its length, its kind and its body", async (t) => {
  t.strictSame([...frameBatch(Uint8Array.of(9, 8))], [0, 0, 0, 3, 1, 9, 8]);
  t.strictSame([...frameMessage({ kind: "barrier", number: 1 }).subarray(4, 5)], [0]);
});
