const DEFAULT_WAIT_MS = 15_000;
const SHOWN_ON_FAILURE = 5;

/** What arrived on a connection, in order. Reading it never loses or repeats anything. */
export class Inbox<T> {
  /** Everything that arrived, read or not. */
  readonly items: T[] = [];
  #read = 0;
  #ended: string | undefined;
  #wake: () => void = () => {};
  #arrival = this.#newArrival();

  push(item: T): void {
    this.items.push(item);
    this.#arrived();
  }

  /** Nothing arrives any more: whoever waits, now or later, fails with `reason`. */
  end(reason: string): void {
    this.#ended ??= reason;
    this.#arrived();
  }

  /** The next item that is accepted; those before it are passed over. */
  async next(accepts: (item: T) => boolean = () => true, waitMs = DEFAULT_WAIT_MS): Promise<T> {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      this.#arrived();
    }, waitMs);
    try {
      while (true) {
        const arrival = this.#arrival;
        while (this.#read < this.items.length) {
          const item = this.items[this.#read++]!;
          if (accepts(item)) return item;
        }
        if (this.#ended !== undefined) throw this.#failure(this.#ended);
        if (timedOut) throw this.#failure(`not within ${waitMs} ms`);
        await arrival;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async take(count: number, accepts?: (item: T) => boolean, waitMs?: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) taken.push(await this.next(accepts, waitMs));
    return taken;
  }

  #newArrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #arrived(): void {
    this.#wake();
    this.#arrival = this.#newArrival();
  }

  #failure(reason: string): Error {
    const last = this.items.slice(-SHOWN_ON_FAILURE).map((item) => JSON.stringify(item).slice(0, 300));
    return new Error(`${reason}; ${this.items.length} items arrived, the last of them:\n${last.join("\n")}`);
  }
}
