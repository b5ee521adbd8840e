import fc from "fast-check";
import t from "tap";
import { pongFrame, WebSocketFrames } from "../../../bench/support/websocket-frames.ts";
import { anyCuts, pushInPieces } from "./pieces.ts";

type Heard = [kind: "message" | "ping" | "closed", text?: string];

const KINDS = { message: 0x1, ping: 0x9, closed: 0x8 } as const;

function listen(): { frames: WebSocketFrames; heard: Heard[] } {
  const heard: Heard[] = [];
  const frames = new WebSocketFrames({
    message: (bytes, start, end) => heard.push(["message", bytes.toString("utf8", start, end)]),
    ping: (bytes, start, end) => heard.push(["ping", bytes.toString("utf8", start, end)]),
    closed: () => heard.push(["closed"]),
  });
  return { frames, heard };
}

/** As a server writes it (RFC 6455 section 5.2). */
function frame([kind, text = ""]: Heard): Buffer {
  const data = Buffer.from(text);
  const first = 0x80 | KINDS[kind];
  const header = Buffer.alloc(data.length < 126 ? 2 : data.length < 65_536 ? 4 : 10);
  header[0] = first;
  if (header.length === 2) header[1] = data.length;
  else if (header.length === 4) {
    header[1] = 126;
    header.writeUInt16BE(data.length, 2);
  } else {
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(data.length), 2);
  }
  return Buffer.concat([header, data]);
}

const anyLength = fc.oneof(fc.nat(400), fc.constantFrom(0, 125, 126, 127, 65_535, 65_536, 70_000));
const anyFrame: fc.Arbitrary<Heard> = fc.oneof(
  { weight: 5, arbitrary: anyLength.map((length): Heard => ["message", "m".repeat(length)]) },
  fc.string({ maxLength: 100 }).map((text): Heard => ["ping", text]),
  fc.constant<Heard>(["closed"]),
);

t.test("wherever the stream is cut, the same frames are read", async (t) => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 8 }), anyCuts, (said, cuts) => {
      const { frames, heard } = listen();
      pushInPieces(Buffer.concat(said.map(frame)), cuts, (bytes, start, end) => frames.push(bytes, start, end));
      t.strictSame(heard, said);
    }),
    { numRuns: 300 },
  );
});

t.test("one byte at a time, the same frames are read", async (t) => {
  const said: Heard[] = [["message", "a"], ["message", ""], ["ping", "b"], ["message", "c".repeat(300)], ["closed"]];
  const stream = Buffer.concat(said.map(frame));
  const { frames, heard } = listen();
  const cuts = Array.from(stream, (_, i) => i / stream.length);
  pushInPieces(stream, cuts, (bytes, start, end) => frames.push(bytes, start, end));
  t.strictSame(heard, said);
});

t.test("fragments and masked frames are refused", async (t) => {
  t.throws(() => listen().frames.push(Buffer.from([0x01, 0x00]), 0, 2), { message: /0x1 is not expected/ });
  t.throws(() => listen().frames.push(Buffer.from([0x81, 0x80]), 0, 2), { message: /masked/ });
});

t.test("a pong carries what the ping did, masked", async (t) => {
  t.strictSame([...pongFrame(Buffer.from("hi"))], [0x8a, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
});
