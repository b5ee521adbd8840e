import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 25;

/** Resolves with the first value of `check` that is neither undefined nor false. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  waitMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + waitMs;
  while (true) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${waitMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}
