/** Latencies in microseconds, every `stride`-th of them, gathered in one process to be merged with those of others. */
export class Samples {
  #values = new Uint32Array(4096);
  #length = 0;
  #skip = 0;
  #stride = 1;

  /** Forgets all. @param stride 1: every one is kept. */
  restart(stride: number): void {
    this.#stride = stride;
    this.#length = 0;
    this.#skip = 0;
  }

  /** Whether the next one is to be kept. To be asked once for each. */
  wants(): boolean {
    this.#skip++;
    if (this.#skip < this.#stride) return false;
    this.#skip = 0;
    return true;
  }

  add(micros: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Uint32Array(2 * this.#length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = Math.max(0, micros);
  }

  taken(): Uint32Array {
    return this.#values.slice(0, this.#length);
  }
}

/** Percentiles of what several processes gathered, taken from all values together, in milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** NaN where there are no values. */
export function mergePercentiles(parts: readonly Uint32Array[]): Percentiles {
  const merged = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    merged.set(part, at);
    at += part.length;
  }
  merged.sort();
  const msAt = (share: number) => (merged[nearestRank(merged.length, share)] ?? Number.NaN) / 1e3;
  return { p50: msAt(0.5), p99: msAt(0.99), p999: msAt(0.999), max: msAt(1) };
}

/** Index of the least value that at least this share of all does not exceed. */
function nearestRank(count: number, share: number): number {
  return Math.max(0, Math.ceil(count * share) - 1);
}
