import fc from "fast-check";
import type { EntryId } from "../../src/protocol/entry-id.ts";

/** Any 64-bit number, and often one from the ends. */
const u64 = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
  fc.constantFrom(0n, 1n, 63n, 64n, 999_999_999_999_999n, 1_000_000_000_000_000n, 2n ** 63n, 2n ** 64n - 1n),
);

export const anyEntryId: fc.Arbitrary<EntryId> = fc.tuple(u64, u64).map(([ms, sequence]) => `${ms}-${sequence}`);

/** As Redis gives them out between 2001 and 2100, up to 4096 in one millisecond. */
export const realisticEntryId: fc.Arbitrary<EntryId> = fc
  .tuple(fc.integer({ min: 1_000_000_000_000, max: 4_102_444_800_000 }), fc.nat(4095))
  .map(([ms, sequence]) => `${ms}-${sequence}`);

/** Well-formed text of any characters, control characters among them. */
export const anyText = fc.string({ unit: "binary", maxLength: 60 });
