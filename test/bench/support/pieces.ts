import fc from "fast-check";

/** Where to cut a byte stream, as shares of its length. */
export const anyCuts: fc.Arbitrary<number[]> = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 });

/**
 * Hands the stream over as a socket does that always reads into the same buffer: what was read before stands behind
 * what was read now, and is overwritten by what is read next.
 */
export function pushInPieces(
  stream: Buffer,
  cuts: readonly number[],
  push: (bytes: Buffer, start: number, end: number) => void,
): void {
  const shared = Buffer.alloc(stream.length + 64, "\n\n");
  const ends = [...cuts.map((share) => Math.floor(share * stream.length)), stream.length].sort((a, b) => a - b);
  let start = 0;
  for (const end of ends) {
    stream.copy(shared, 0, start, end);
    push(shared, 0, end - start);
    start = end;
  }
}
