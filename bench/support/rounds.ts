import { median } from "./measure.ts";
import { isGeneratorSaturated, type Trial } from "./trial.ts";

/** Several trials of the same thing, to be read as one row. */
export interface Rounds {
  readonly trials: readonly Trial[];
  /** The median of what each trial says. */
  median(of: (trial: Trial) => number): number;
}

export function roundsOf(trials: readonly Trial[]): Rounds {
  return { trials, median: (of) => median(trials.map(of)) };
}

export interface RepeatOptions {
  /** Whether the trial that warms up shows enough, and is to be the only one. */
  readonly isHopeless?: (warmUp: Trial) => boolean;
  /** Once this has passed no further trial is begun, if one has been counted. */
  readonly budgetSeconds?: number;
}

const BUDGET_SECONDS = 30;

/** Runs a trial several times, after one that does not count. */
export async function repeat(
  times: number,
  run: () => Promise<Trial>,
  { isHopeless = () => false, budgetSeconds = BUDGET_SECONDS }: RepeatOptions = {},
): Promise<Rounds> {
  const isOver = budget(budgetSeconds);
  const warmUp = await run();
  if (isHopeless(warmUp)) return roundsOf([warmUp]);
  const trials: Trial[] = [];
  while (trials.length < times && !(isOver() && trials.length > 0)) trials.push(await run());
  return { ...roundsOf(trials), trials: [warmUp, ...trials] };
}

/** Whether so many seconds have passed from now. */
export function budget(seconds: number): () => boolean {
  const end = performance.now() + seconds * 1e3;
  return () => performance.now() > end;
}

/** Every problem of every trial, said once, with what it was about. */
export function problemsOf(about: string, { trials }: Pick<Rounds, "trials">): string[] {
  return [...new Set(trials.flatMap(({ problems }) => problems))].map((problem) => `${about}: ${problem}`);
}

/**
 * The last columns of every row, by which to believe it or not: share of the servers' cores that the servers used; of the
 * servers' and of the clients' cores that others used; of its core that each generator used; and `YES` when the
 * generators were as busy as they can be, so that the row says little about the server.
 */
export function beliefColumns({ trials, median: medianOf }: Rounds) {
  const percent = (of: (trial: Trial) => number) => Math.round(medianOf(of) * 100);
  const generators = trials[0]!.generatorShares.map((_, i) => percent(({ generatorShares }) => generatorShares[i]!));
  return {
    "server %": percent(({ serverShare }) => serverShare),
    "others %": `${percent(({ others }) => others.servers)} ${percent(({ others }) => others.clients)}`,
    "generators %": generators.join(" "),
    saturated: trials.some(isGeneratorSaturated) ? "YES" : "no",
  };
}

export const BELIEF_NOTE =
  "server %: of the servers' cores; others %: what processes not measured used of the servers' and of the clients' cores, which should be next to nothing; generators %: each one's share of its core; saturated: a generator, the feeder or the clients' cores as a whole had no more to give, so that the row says little about the server";

export function threeDigits(value: number): number {
  return Number(value.toPrecision(3));
}
