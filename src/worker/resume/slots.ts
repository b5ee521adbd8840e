import { FairQueue } from "./fair-queue.js";

export interface SlotLimits {
  readonly total: number;
  readonly perTenant: number;
}

/** Lets only so many tasks run at once, and of each tenant only so many; the others wait, and tenants take turns. */
export class Slots {
  readonly #limits: SlotLimits;
  readonly #waiting = new FairQueue<() => void>();
  readonly #runningOf = new Map<string, number>();
  #running = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  async run<T>(tenant: string, task: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      this.#waiting.add(tenant, () => {
        this.#count(tenant, 1);
        start();
      });
      this.#startWaiting();
    });
    try {
      return await task();
    } finally {
      this.#count(tenant, -1);
      this.#startWaiting();
    }
  }

  #startWaiting(): void {
    const { total, perTenant } = this.#limits;
    while (this.#running < total) {
      const start = this.#waiting.take((tenant) => (this.#runningOf.get(tenant) ?? 0) < perTenant);
      if (start === undefined) return;
      start();
    }
  }

  #count(tenant: string, change: 1 | -1): void {
    this.#running += change;
    const running = (this.#runningOf.get(tenant) ?? 0) + change;
    if (running === 0) this.#runningOf.delete(tenant);
    else this.#runningOf.set(tenant, running);
  }
}
