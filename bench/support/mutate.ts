import type { Random } from "./random.ts";

/** What parsers of requests, frames, JSON, MessagePack and tokens take for something else than text. */
const DICTIONARY = [
  ...["\r\n", "\n", "\r", "\0", "\r\n\r\n", ":", " ", "\t", "%0d%0a", "%00", "\\u0000", "\\ud800", "\u2028", "\ufeff"],
  ...["{", "}", "[", "]", '"', "\\", ",", "null", "-0", "1e400", '"__proto__":', '"constructor":', "[[[[[[[["],
  ...["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Upgrade: websocket\r\n", "Connection: Upgrade\r\n"],
  ...["*", "a*", "tenant_id", "~", ".", "..", "/", "//", "9".repeat(30), "-1", "\xff\xff\xff\xff", "\x81\xfe\xff\xff"],
  ...["eyJhbGciOiJub25lIn0", "\xc1", "\xd4\x72\x40", "\xdf\xff\xff\xff\xff", "\xdd\xff\xff\xff\xff", "a".repeat(5_000)],
].map((text) => Buffer.from(text, "latin1"));

const MOST_CHANGES = 6;

/** The same bytes with a few places changed, repeated, cut out or put in. Now and then none at all. */
export function mutate(random: Random, original: Uint8Array): Buffer {
  let bytes = Buffer.from(original);
  for (let left = random.int(MOST_CHANGES); left > 0; left--) bytes = change(random, bytes);
  return bytes;
}

export function mutateText(random: Random, original: string): string {
  return mutate(random, Buffer.from(original)).toString("latin1");
}

function change(random: Random, bytes: Buffer): Buffer<ArrayBuffer> {
  const at = random.int(bytes.length + 1);
  const to = Math.min(bytes.length, at + random.int(20));
  const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
  switch (random.int(6)) {
    case 0:
      return Buffer.concat([before, random.pick(DICTIONARY), after]);
    case 1:
      return Buffer.concat([before, after]);
    case 2:
      return Buffer.concat([before, part, part, after]);
    case 3:
      return Buffer.concat([before, random.bytes(to - at), after]);
    case 4:
      return Buffer.concat([before, part.map((byte) => byte ^ (1 << random.int(8))), after]);
    default:
      return Buffer.from(before);
  }
}
