import type { UnitId } from "../protocol/stream.js";

/**
 * Gives every unit to a worker so that none has more than one unit more than another, and as few units as possible
 * change hands.
 *
 * @param owned what each worker has now. Every worker that may own units is a key.
 * @param free units that nobody has.
 */
export function assignUnits<W>(
  owned: ReadonlyMap<W, readonly UnitId[]>,
  free: readonly UnitId[],
): Map<W, readonly UnitId[]> {
  if (owned.size === 0) return new Map();
  const total = free.length + [...owned.values()].reduce((sum, units) => sum + units.length, 0);
  const share = Math.floor(total / owned.size);
  // The larger shares go to those that have most already: each of them gives up one unit less.
  const byLoad = [...owned].sort(([, a], [, b]) => b.length - a.length);
  const shares = new Map(byLoad.map(([worker], rank) => [worker, share + (rank < total % owned.size ? 1 : 0)]));

  const assigned = new Map([...owned].map(([worker, units]) => [worker, units.slice(0, shares.get(worker))]));
  const surplus = [...owned].flatMap(([worker, units]) => units.slice(shares.get(worker)));
  for (const unit of [...surplus, ...free]) leastLoaded(assigned, shares).push(unit);
  return assigned;
}

/** One whose share is not full yet. Units next to each other go to different workers. */
function leastLoaded<W>(assigned: ReadonlyMap<W, UnitId[]>, shares: ReadonlyMap<W, number>): UnitId[] {
  const open = [...assigned].filter(([worker, units]) => units.length < shares.get(worker)!);
  return open.reduce((least, candidate) => (candidate[1].length < least[1].length ? candidate : least))[1];
}
