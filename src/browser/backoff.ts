/** How fast the waits between attempts grow. */
export interface BackoffLimits {
  /** Upper bound of the first wait, in milliseconds. */
  baseMs: number;
  /** Upper bound of every wait, in milliseconds. */
  maxMs: number;
}

// The longest delay setTimeout takes; a longer one would fire at once.
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Wait before the next attempt, in whole milliseconds: exponential back-off with full jitter, a random time between 0
 * and `baseMs * 2^attempt` (never over `maxMs`), on top of `floorMs`, the least wait the server asked for. The jitter
 * stays when there is a floor, since many clients get the same one at the same moment.
 *
 * @param attempt attempts that have failed in a row before this wait, from 0
 * @param random gives a number from 0 (inclusive) to 1 (exclusive)
 */
export function backoffMs(attempt: number, floorMs: number, limits: BackoffLimits, random = Math.random): number {
  const ceilingMs = Math.min(limits.maxMs, limits.baseMs * 2 ** attempt);
  return Math.min(MAX_TIMER_MS, Math.floor(floorMs + random() * ceilingMs));
}
