/** Lets through `ratePerSecond` on average and as many at once. */
export class TokenBucket {
  readonly #ratePerSecond: number;
  #tokens: number;
  #updated: number;

  /** @param now milliseconds on any steady clock. */
  constructor(ratePerSecond: number, now: number) {
    this.#ratePerSecond = ratePerSecond;
    this.#tokens = ratePerSecond;
    this.#updated = now;
  }

  take(now: number): boolean {
    const refill = ((now - this.#updated) / 1000) * this.#ratePerSecond;
    this.#tokens = Math.min(this.#ratePerSecond, this.#tokens + Math.max(0, refill));
    this.#updated = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
