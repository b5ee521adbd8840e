import { budget, type Rounds, roundsOf } from "./rounds.ts";
import type { Stage } from "./stage.ts";
import { runTrial, type Trial } from "./trial.ts";

/** The most events per second with which latency stays within the limit. */
export interface Most {
  /** Events per second. */
  readonly rate: number;
  /** At that rate. */
  readonly rounds: Rounds;
  /** Everything that was tried, for its problems. */
  readonly trials: readonly Trial[];
}

export interface MostOptions {
  readonly deliveriesPerEvent: number;
  /** Events sent all at once to learn the order of magnitude. */
  readonly burst: number;
  /** Of each trial. */
  readonly seconds: number;
  /** Halvings of the range, on a logarithmic scale. */
  readonly steps: number;
  readonly runs: number;
}

export const LIMIT_P99_MS = 250;

const AT_ONCE = 1e6;
/** What is sent at once is merged more than a steady stream ever is: the answer is below what that suggests. */
const LEAST_SHARE = 0.1;
const STEP_DOWN = 0.85;
/** Then the last rate tried has to do, even with a p99 beyond the limit. */
const BUDGET_SECONDS = 15;
const LEAST_EVENTS = 10;

export async function findMost(stage: Stage, options: MostOptions): Promise<Most> {
  const { deliveriesPerEvent, burst, seconds, steps, runs } = options;
  const trials: Trial[] = [];
  const attempt = async (rate: number, events = Math.max(LEAST_EVENTS, Math.round(rate * seconds))) => {
    const trial = await runTrial(stage, { rate, events, expectedDeliveries: events * deliveriesPerEvent });
    trials.push(trial);
    return trial;
  };

  const all = await attempt(AT_ONCE, burst);
  const isOver = budget(BUDGET_SECONDS);
  let high = all.events / all.seconds;
  let low = high * LEAST_SHARE;
  for (let step = 0; step < steps && !isOver(); step++) {
    const middle = Math.sqrt(low * high);
    if (isWithinLimit(await attempt(middle))) low = middle;
    else high = middle;
  }
  for (;;) {
    const confirming: Trial[] = [await attempt(low)];
    while (confirming.length < runs && !isOver()) confirming.push(await attempt(low));
    const rounds = roundsOf(confirming);
    if (rounds.median(({ latency }) => latency.p99) < LIMIT_P99_MS || isOver()) return { rate: low, rounds, trials };
    low *= STEP_DOWN;
  }
}

function isWithinLimit({ latency, problems }: Trial): boolean {
  return problems.length === 0 && latency.p99 < LIMIT_P99_MS;
}
