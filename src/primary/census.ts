import type { ToWorker, WorkerStatistics } from "../protocol/control.js";

interface Round {
  readonly waitingFor: Set<number>;
  readonly collected: WorkerStatistics[];
  readonly done: (statistics: readonly WorkerStatistics[]) => void;
  readonly timer: NodeJS.Timeout;
}

/** Milliseconds after which workers that have not answered are left out. */
const TIMEOUT_MS = 2_000;

/** Asks all workers for their connections. Questions that come while one is under way share its answer. */
export class Census {
  readonly #workers: () => readonly number[];
  readonly #tell: (worker: number, message: ToWorker) => void;
  readonly #rounds = new Map<number, Round>();
  #current: Promise<readonly WorkerStatistics[]> | null = null;
  #lastRequest = 0;

  constructor(workers: () => readonly number[], tell: (worker: number, message: ToWorker) => void) {
    this.#workers = workers;
    this.#tell = tell;
  }

  take(): Promise<readonly WorkerStatistics[]> {
    this.#current ??= this.#ask().finally(() => {
      this.#current = null;
    });
    return this.#current;
  }

  collected(worker: number, request: number, statistics: WorkerStatistics): void {
    const round = this.#rounds.get(request);
    if (!round?.waitingFor.delete(worker)) return;
    round.collected.push(statistics);
    if (round.waitingFor.size === 0) this.#finish(request, round);
  }

  /** The worker is gone and will not answer. */
  forget(worker: number): void {
    for (const [request, round] of this.#rounds) {
      if (round.waitingFor.delete(worker) && round.waitingFor.size === 0) this.#finish(request, round);
    }
  }

  #ask(): Promise<readonly WorkerStatistics[]> {
    const request = ++this.#lastRequest;
    const workers = this.#workers();
    return new Promise((done) => {
      const timer = setTimeout(() => this.#finish(request, round), TIMEOUT_MS);
      const round: Round = { waitingFor: new Set(workers), collected: [], done, timer };
      this.#rounds.set(request, round);
      for (const worker of workers) this.#tell(worker, { kind: "collect", request });
    });
  }

  #finish(request: number, { collected, done, timer }: Round): void {
    clearTimeout(timer);
    this.#rounds.delete(request);
    done(collected);
  }
}
