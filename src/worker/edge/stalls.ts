export interface Backlogged {
  readonly isClosed: boolean;
  /** Something is unsent. */
  readonly hasBacklog: boolean;
  /** Changes whenever the client took something. */
  readonly progress: number;
  /** Keeps a connection whose client takes nothing from being ended before its time. */
  keepWaiting(): void;
}

/** Connections with something unsent, and since when each has taken nothing of it. */
export class Stalls<T extends Backlogged> {
  readonly #waiting = new Map<T, { progress: number; since: number }>();
  readonly #stallSeconds: number;
  readonly #onStalled: (connection: T) => void;

  constructor(stallSeconds: number, onStalled: (connection: T) => void) {
    this.#stallSeconds = stallSeconds;
    this.#onStalled = onStalled;
  }

  /** @param second on any steady clock. */
  watch(connection: T, second: number): void {
    if (!this.#waiting.has(connection)) this.#waiting.set(connection, { progress: connection.progress, since: second });
  }

  /** To be called every few seconds at least. */
  check(second: number): void {
    for (const [connection, state] of this.#waiting) {
      if (connection.isClosed || !connection.hasBacklog) this.#waiting.delete(connection);
      else if (connection.progress !== state.progress) {
        this.#waiting.set(connection, { progress: connection.progress, since: second });
      } else if (second - state.since >= this.#stallSeconds) {
        this.#waiting.delete(connection);
        this.#onStalled(connection);
      } else connection.keepWaiting();
    }
  }
}
