/** Milliseconds before a worker that died is replaced; doubles with each death up to the longest. */
const FIRST_MS = 100;
const LONGEST_MS = 5_000;
/** Milliseconds of life after which earlier deaths are forgotten. */
const STABLE_AFTER_MS = 60_000;
/** So many deaths at the start within that time are a crash loop. */
const CRASH_LOOP_DEATHS = 5;
const CRASH_LOOP_MS = 60_000;

interface History {
  deaths: number;
  lastDeath: number;
  /** When the worker died without having joined, since it last joined. */
  atStart: number[];
}

/** When to start a worker again that has died, and when not to any more. */
export class Restarts {
  readonly #workers = new Map<number, History>();
  readonly #now: () => number;

  /** @param now Unix time in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  joined(worker: number): void {
    const history = this.#workers.get(worker);
    if (history !== undefined) history.atStart = [];
  }

  /** @returns milliseconds after which to start it again, or null: it is in a crash loop. */
  died(worker: number, hadJoined: boolean): number | null {
    const now = this.#now();
    const history = this.#workers.get(worker) ?? { deaths: 0, lastDeath: Number.NEGATIVE_INFINITY, atStart: [] };
    this.#workers.set(worker, history);
    if (now - history.lastDeath > STABLE_AFTER_MS) history.deaths = 0;
    history.lastDeath = now;
    if (!hadJoined) history.atStart = [...history.atStart.filter((at) => now - at < CRASH_LOOP_MS), now];
    if (history.atStart.length >= CRASH_LOOP_DEATHS) return null;
    return Math.min(FIRST_MS * 2 ** history.deaths++, LONGEST_MS);
  }
}
