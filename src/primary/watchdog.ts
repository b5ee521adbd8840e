/** Milliseconds without a sign of life after which a worker is taken to hang. */
const SILENT_AFTER_MS = 15_000;
const CHECK_EVERY_MS = 1_000;

/**
 * Notices processes that are there but do nothing any more: they would hold up all the others, which wait for them to
 * take what they are sent.
 */
export class Watchdog {
  readonly #onSilent: (incarnation: number) => void;
  readonly #now: () => number;
  readonly #heard = new Map<number, number>();
  readonly #checking: NodeJS.Timeout;
  #lastCheck: number;

  /** @param now milliseconds of a clock that never jumps. */
  constructor(onSilent: (incarnation: number) => void, now: () => number = () => performance.now()) {
    this.#onSilent = onSilent;
    this.#now = now;
    this.#lastCheck = now();
    this.#checking = setInterval(() => this.check(), CHECK_EVERY_MS);
  }

  heard(incarnation: number): void {
    this.#heard.set(incarnation, this.#now());
  }

  forget(incarnation: number): void {
    this.#heard.delete(incarnation);
  }

  /** Where the whole machine stood still, nobody could be heard: then all of them start anew. */
  check(): void {
    const now = this.#now();
    const stoodStill = now - this.#lastCheck > 2 * CHECK_EVERY_MS;
    this.#lastCheck = now;
    for (const [incarnation, at] of this.#heard) {
      if (stoodStill) this.#heard.set(incarnation, now);
      else if (now - at > SILENT_AFTER_MS) {
        this.#heard.delete(incarnation);
        this.#onSilent(incarnation);
      }
    }
  }

  stop(): void {
    clearInterval(this.#checking);
  }
}
