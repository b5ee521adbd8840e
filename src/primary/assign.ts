import type { UnitId } from "../protocol/stream.js";

/** Gives every unit to a worker, in turn: no worker has more than one unit more than another. */
export function assignUnits(units: readonly UnitId[], workers: readonly number[]): Map<number, UnitId[]> {
  const assigned = new Map<number, UnitId[]>(workers.map((worker) => [worker, []]));
  units.forEach((unit, i) => {
    assigned.get(workers[i % workers.length]!)!.push(unit);
  });
  return assigned;
}
