import { FairQueue } from "./fair-queue.js";

/** Milliseconds of one turn of the event loop that go to clients that catch up; the rest is for live events. */
const BUDGET_MS = 4;

/** Divides the time there is for catching up fairly among tenants, and leaves most of it to everything else. */
export class Turns {
  readonly #waiting = new FairQueue<() => void>();
  #spentMs = 0;
  #isTurnOver = false;

  /** Runs `work`, which must be short, as soon as it is the tenant's turn: at once where nobody else waits. */
  run<T>(tenant: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(tenant, () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
      this.#work();
    });
  }

  #work(): void {
    while (this.#spentMs < BUDGET_MS) {
      const work = this.#waiting.take();
      if (work === undefined) return;
      const start = performance.now();
      work();
      this.#spentMs += performance.now() - start;
      this.#endTurn();
    }
  }

  #endTurn(): void {
    if (this.#isTurnOver) return;
    this.#isTurnOver = true;
    setImmediate(() => {
      this.#isTurnOver = false;
      this.#spentMs = 0;
      this.#work();
    });
  }
}
