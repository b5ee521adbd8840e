import { mainThreadNs } from "./main-thread.ts";

/** What one call costs, medians over all rounds. */
export interface Cost {
  /** Work of the main thread, µs. */
  readonly mainUs: number;
  /** From the call to its result, µs, with nothing else under way. */
  readonly wallUs: number;
}

export interface Effort {
  readonly rounds: number;
  /** Least duration of one round of one contestant. */
  readonly roundMs: number;
}

/**
 * Runs the contestants in turn, round after round, so that what else the machine does meets all of them. Each is called
 * again and again, one call at a time.
 */
export async function compareCosts<Name extends string>(
  contestants: Readonly<Record<Name, () => unknown>>,
  { rounds, roundMs }: Effort,
): Promise<Record<Name, Cost>> {
  const names = Object.keys(contestants) as Name[];
  const costs = new Map(names.map((name): [Name, Cost[]] => [name, []]));
  for (const name of names) await measureRound(contestants[name], roundMs);
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      costs.get(name)!.push(await measureRound(contestants[name], roundMs));
    }
  }
  const medians = names.map((name) => {
    const all = costs.get(name)!;
    return [name, { mainUs: median(all.map((one) => one.mainUs)), wallUs: median(all.map((one) => one.wallUs)) }];
  });
  return Object.fromEntries(medians);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

async function measureRound(call: () => unknown, roundMs: number): Promise<Cost> {
  const startedAt = performance.now();
  const mainBefore = mainThreadNs();
  let calls = 0;
  let elapsedMs = 0;
  while (elapsedMs < roundMs) {
    await call();
    calls++;
    elapsedMs = performance.now() - startedAt;
  }
  return { mainUs: (mainThreadNs() - mainBefore) / 1e3 / calls, wallUs: (elapsedMs * 1e3) / calls };
}
