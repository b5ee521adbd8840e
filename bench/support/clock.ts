const OFFSET_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Microseconds on the machine's steady clock, which is the same for every process. */
export function nowMicros(): number {
  return (performance.now() + OFFSET_MS) * 1e3;
}
