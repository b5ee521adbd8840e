import { compareCosts, type Effort } from "./measure.ts";

/** Main: µs of the main thread per item. Call: µs from the call to its result, one call at a time. */
export interface CutOverRow {
  readonly "in place main": number;
  readonly "pool main": number;
  /** Pool to in place, of the main thread. */
  readonly ratio: number;
  readonly "in place call": number;
  readonly "pool call": number;
}

/** @param items handled by one call. */
export async function measureCutOver(
  items: number,
  contestants: { readonly inPlace: () => unknown; readonly pooled: () => unknown },
  effort: Effort,
): Promise<CutOverRow> {
  const { inPlace, pooled } = await compareCosts(contestants, effort);
  return {
    "in place main": threeDigits(inPlace.mainUs / items),
    "pool main": threeDigits(pooled.mainUs / items),
    ratio: threeDigits(pooled.mainUs / inPlace.mainUs),
    "in place call": Math.round(inPlace.wallUs),
    "pool call": Math.round(pooled.wallUs),
  };
}

/** From which size on, and for every larger one, the pool costs the main thread less. */
export function cutOverOf(sizes: readonly number[], rows: readonly CutOverRow[]): string {
  const size = sizes.find((_, i) => rows.slice(i).every(({ ratio }) => ratio < 1));
  return size === undefined ? "at no size measured" : `from ${size} on`;
}

function threeDigits(value: number): number {
  return Number(value.toPrecision(3));
}
