import { setTimeout as delay } from "node:timers/promises";

export interface Drained {
  /** Tells the client to come back after this many milliseconds, then ends the connection. */
  sendAway(retryMs: number): void;
}

export interface DrainOptions {
  /** Milliseconds the whole may take. */
  readonly windowMs: number;
  /** Cuts it short. */
  readonly signal: AbortSignal;
}

const STEP_MS = 20;
/** Where there are few clients, the window is not used up: so many a second are no burden to whoever takes them. */
const LEAST_PER_SECOND = 200;
const LEAST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 3_000;

/** Sends connections away at an even rate, so that they do not all come back at once. */
export async function drain(connections: readonly Drained[], { windowMs, signal }: DrainOptions): Promise<void> {
  const steps = Math.max(1, Math.floor(windowMs / STEP_MS));
  const perStep = Math.ceil(Math.max(connections.length / steps, (LEAST_PER_SECOND * STEP_MS) / 1000));
  for (let next = 0; next < connections.length; next += perStep) {
    for (const connection of connections.slice(next, next + perStep)) connection.sendAway(retryMs());
    if (!signal.aborted) await delay(STEP_MS, undefined, { signal }).catch(() => {});
  }
}

function retryMs(): number {
  return Math.round(LEAST_RETRY_MS + Math.random() * (LONGEST_RETRY_MS - LEAST_RETRY_MS));
}
