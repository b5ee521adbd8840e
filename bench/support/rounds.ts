import { median } from "./measure.ts";
import { isGeneratorSaturated, type Trial } from "./trial.ts";

/** Several trials of the same thing, to be read as one row. */
export interface Rounds {
  readonly trials: readonly Trial[];
  /** The median of what each trial says. */
  median(of: (trial: Trial) => number): number;
  /** `no`, or `YES` when the generators were as busy as they can be in any trial: the row then says little. */
  readonly saturated: "no" | "YES";
  /** Busiest generator process, share of a core in %. */
  readonly generatorPercent: number;
}

export function roundsOf(trials: readonly Trial[]): Rounds {
  const medianOf = (of: (trial: Trial) => number) => median(trials.map(of));
  return {
    trials,
    median: medianOf,
    saturated: trials.some(isGeneratorSaturated) ? "YES" : "no",
    generatorPercent: Math.round(medianOf(({ generatorShares }) => Math.max(...generatorShares)) * 100),
  };
}

/** Runs a trial several times, after one that does not count. */
export async function repeat(times: number, run: () => Promise<Trial>): Promise<Rounds> {
  const trials: Trial[] = [];
  const warmUp = await run();
  for (let i = 0; i < times; i++) trials.push(await run());
  const rounds = roundsOf(trials);
  return { ...rounds, trials: [warmUp, ...trials] };
}

/** Every problem of every trial, said once, with what it was about. */
export function problemsOf(about: string, { trials }: Pick<Rounds, "trials">): string[] {
  return [...new Set(trials.flatMap(({ problems }) => problems))].map((problem) => `${about}: ${problem}`);
}

export function threeDigits(value: number): number {
  return Number(value.toPrecision(3));
}
