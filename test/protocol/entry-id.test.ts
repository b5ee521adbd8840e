import fc from "fast-check";
import t from "tap";
import { compareEntryIds, entryTime, isEntryId, previousEntryId, ZERO_ID } from "../../src/protocol/entry-id.ts";
import { anyEntryId } from "./arbitraries.ts";

const LARGEST = "18446744073709551615-18446744073709551615";

function numbersOf(id: string): [ms: bigint, sequence: bigint] {
  const [ms, sequence] = id.split("-").map(BigInt);
  return [ms!, sequence!];
}

function compareNumbers(a: string, b: string): number {
  const [msA, sequenceA] = numbersOf(a);
  const [msB, sequenceB] = numbersOf(b);
  if (msA !== msB) return msA < msB ? -1 : 1;
  return sequenceA === sequenceB ? 0 : sequenceA < sequenceB ? -1 : 1;
}

t.test("an id is two unsigned 64-bit numbers in their shortest form", async (t) => {
  for (const id of [ZERO_ID, "0-1", "1-0", "1700000000000-0", LARGEST]) t.ok(isEntryId(id), id);
  const wrong = [
    "",
    "-",
    "0",
    "0-",
    "-0",
    "00-0",
    "0-01",
    "1-2-3",
    "+1-0",
    "1.0-0",
    "0x1-0",
    " 1-0",
    "1-0\n",
    "١-٠",
    "$",
  ];
  const tooLarge = [
    "18446744073709551616-0",
    "0-18446744073709551616",
    "99999999999999999999-0",
    `1${"0".repeat(20)}-0`,
  ];
  for (const id of [...wrong, ...tooLarge]) t.notOk(isEntryId(id), JSON.stringify(id));
});

t.test("ids are ordered as their numbers are, not as text", async (t) => {
  t.ok(compareEntryIds("9-0", "10-0") < 0);
  t.ok(compareEntryIds("1-10", "1-9") > 0);
  fc.assert(
    fc.property(anyEntryId, anyEntryId, (a, b) => {
      return Math.sign(compareEntryIds(a, b)) === compareNumbers(a, b) && compareEntryIds(a, a) === 0;
    }),
  );
});

t.test("the id before an id is the largest smaller one", async (t) => {
  t.equal(previousEntryId("5-7"), "5-6");
  t.equal(previousEntryId("5-0"), "4-18446744073709551615");
  t.equal(previousEntryId(LARGEST), "18446744073709551615-18446744073709551614");
  t.throws(() => previousEntryId(ZERO_ID), RangeError);
  fc.assert(
    fc.property(
      anyEntryId.filter((id) => id !== ZERO_ID),
      (id) => isEntryId(previousEntryId(id)) && compareEntryIds(previousEntryId(id), id) < 0,
    ),
  );
});

t.test("an id's first half is the time at which it was given out", async (t) => {
  t.equal(entryTime("1700000000000-42"), 1_700_000_000_000);
  t.equal(entryTime(ZERO_ID), 0);
  t.equal(entryTime(LARGEST), 2 ** 64, "without precision above 2^53, but a number");
});
