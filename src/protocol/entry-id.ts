/**
 * Redis Stream entry ids, `<milliseconds>-<sequence>`, both unsigned 64-bit
 * (https://redis.io/docs/latest/develop/data-types/streams/#entry-ids).
 * Kept as text, because a 64-bit number does not fit a JavaScript number.
 */
export type EntryId = string;

/** Before every entry: the position of a stream that has never held one. */
export const ZERO_ID: EntryId = "0-0";

const CANONICAL = /^(?:0|[1-9]\d{0,19})-(?:0|[1-9]\d{0,19})$/;
const MAX_U64 = "18446744073709551615";

/** Whether `text` is a complete id without leading zeros, each half below 2^64. */
export function isEntryId(text: string): text is EntryId {
  if (!CANONICAL.test(text)) return false;
  const dash = text.indexOf("-");
  return compareDecimal(text.slice(0, dash), MAX_U64) <= 0 && compareDecimal(text.slice(dash + 1), MAX_U64) <= 0;
}

/** Negative, zero or positive as `a` stands before, at or after `b`. */
export function compareEntryIds(a: EntryId, b: EntryId): number {
  const dashA = a.indexOf("-");
  const dashB = b.indexOf("-");
  const byTime = compareDecimal(a.slice(0, dashA), b.slice(0, dashB));
  return byTime !== 0 ? byTime : compareDecimal(a.slice(dashA + 1), b.slice(dashB + 1));
}

/** The largest id before `id`. @throws RangeError for 0-0, which has none. */
export function previousEntryId(id: EntryId): EntryId {
  const dash = id.indexOf("-");
  const ms = BigInt(id.slice(0, dash));
  const sequence = BigInt(id.slice(dash + 1));
  if (sequence > 0n) return `${ms}-${sequence - 1n}`;
  if (ms === 0n) throw new RangeError("0-0 is the smallest entry id");
  return `${ms - 1n}-${MAX_U64}`;
}

/** Unix time in milliseconds at which Redis gave out the id. Loses precision above 2^53, as custom ids may. */
export function entryTime(id: EntryId): number {
  return Number(id.slice(0, id.indexOf("-")));
}

/** Both numbers without leading zeros: then the longer one is the larger. */
function compareDecimal(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
