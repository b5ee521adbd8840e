const BUCKET_MS = 250;
const BUCKETS = 20;

/** Events per second over the last five seconds. */
export class RateMeter {
  readonly #counts = new Array<number>(BUCKETS).fill(0);
  #latest = 0;

  /** @param nowMs of a clock that does not go backwards */
  add(nowMs: number): void {
    const slot = this.#advance(nowMs);
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1;
  }

  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    const events = this.#counts.reduce((sum, count) => sum + count, 0);
    return events / ((BUCKETS * BUCKET_MS) / 1000);
  }

  /** Empties the buckets that have grown too old, and says which one is now. */
  #advance(nowMs: number): number {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    for (let old = Math.max(this.#latest + 1, bucket - BUCKETS + 1); old <= bucket; old++) {
      this.#counts[old % BUCKETS] = 0;
    }
    this.#latest = bucket;
    return bucket % BUCKETS;
  }
}

const SAMPLES = 100;

/** Median and maximum of the last hundred latencies, in milliseconds. */
export class LatencyMeter {
  readonly #samples: number[] = [];

  add(ms: number): void {
    // Below zero only when the clocks differ.
    this.#samples.push(Math.max(0, ms));
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }

  summary(): { median: number; max: number } | undefined {
    const sorted = this.#samples.toSorted((a, b) => a - b);
    const middle = Math.floor(sorted.length / 2);
    const upper = sorted[middle];
    const max = sorted.at(-1);
    if (upper === undefined || max === undefined) return undefined;
    const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? upper);
    return { median: (lower + upper) / 2, max };
  }
}
