/** What `bench/NAME.ts` exports: one question, and the measurement that answers it. */
export interface Benchmark {
  readonly question: string;
  /** Seconds after which it has hung, where that takes longer than usual. */
  readonly limitSeconds?: { readonly quick: number; readonly full: number };
  run(options: BenchOptions): Promise<Report>;
}

export interface BenchOptions {
  /** Fewer and shorter runs: shows that it works, and roughly the numbers. */
  readonly quick: boolean;
  /** How long, where the benchmark can be told; undefined: as it likes. */
  readonly seconds: number | undefined;
  /** Of what is chosen at random; undefined: another one each time. */
  readonly seed: number | undefined;
  /** Parts of the benchmark to run; none: all. */
  readonly only: readonly string[];
}

export interface Report {
  readonly tables: readonly Table[];
  /** What one must know to read the numbers, and what follows from them. */
  readonly notes: readonly string[];
  /** Events that were missing, doubled, out of turn or another tenant's: the run has failed. */
  readonly problems?: readonly string[];
  /** In a word, last. */
  readonly verdict?: string;
}

export interface Table {
  readonly title: string;
  /** Columns and cells, the same columns in every row. */
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}
