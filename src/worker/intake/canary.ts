export interface CanaryOptions {
  /** Adds one to its stream. Rejects when Redis does not take it. */
  readonly send: () => Promise<void>;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
}

/** Milliseconds between two canaries. */
const EVERY_MS = 3_000;
/** Milliseconds without one after which delivery is no longer proven. */
const OVERDUE_AFTER_MS = 10_000;

/**
 * Proves that reading works: an entry of our own that goes from XADD through the same reads as all others, and counts
 * once what was read with it has been handed to the hub and the siblings.
 */
export class Canary {
  readonly #options: CanaryOptions;
  readonly #sending: NodeJS.Timeout;
  #since: number;
  #refusal: string | null = null;

  constructor(options: CanaryOptions) {
    this.#options = options;
    this.#since = options.now();
    this.#sending = setInterval(() => void this.#send(), EVERY_MS);
    void this.#send();
  }

  arrived(): void {
    this.#since = this.#options.now();
  }

  /** Milliseconds since the last one arrived, or since they are sent. */
  get age(): number {
    return this.#options.now() - this.#since;
  }

  /** Redis took them, and none came: whoever reads does not get what there is. */
  get isLost(): boolean {
    return this.#isOverdue && this.#refusal === null;
  }

  /** What keeps delivery from being proven; null: it is. */
  get problem(): string | null {
    if (!this.#isOverdue) return null;
    const cause = this.#refusal === null ? "" : `: ${this.#refusal}`;
    return `delivery is not proven for ${Math.round(this.age / 1000)} s${cause}`;
  }

  stop(): void {
    clearInterval(this.#sending);
  }

  get #isOverdue(): boolean {
    return this.age > OVERDUE_AFTER_MS;
  }

  async #send(): Promise<void> {
    try {
      await this.#options.send();
      this.#refusal = null;
    } catch (error) {
      this.#refusal = (error as Error).message;
    }
  }
}
