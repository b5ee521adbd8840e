/** What a resumed connection brought back. */
export interface Recovered {
  events: number;
  /** Why some are gone for good; empty when nothing was missed. */
  gaps: readonly string[];
}

// Missed events come in one burst; after a pause as long as this it is over.
const BURST_PAUSE_MS = 150;

/**
 * Tells events that happened while the connection was down from those after it: by their time, or, where that is not
 * known, by the burst they come in right after the connection has opened again.
 */
export class Recovery {
  #reopenedAt = 0;
  #burstUntil = 0;
  #events = 0;
  #gaps: string[] = [];
  #isRunning = false;

  /** The connection is open again, at this time. */
  start(nowMs: number): void {
    this.#reopenedAt = nowMs;
    this.#burstUntil = nowMs + BURST_PAUSE_MS;
    this.#events = 0;
    this.#gaps = [];
    this.#isRunning = true;
  }

  /** Whether the event was a recovered one. */
  takeEvent(occurredAtMs: number | undefined, nowMs: number): boolean {
    if (!this.#isRunning) return false;
    const isInBurst = nowMs <= this.#burstUntil;
    const isRecovered = occurredAtMs === undefined ? isInBurst : occurredAtMs <= this.#reopenedAt;
    if (isInBurst) this.#burstUntil = nowMs + BURST_PAUSE_MS;
    if (isRecovered) this.#events += 1;
    return isRecovered;
  }

  takeGap(reason: string): void {
    if (this.#isRunning) this.#gaps.push(reason);
  }

  finish(): Recovered {
    this.#isRunning = false;
    return { events: this.#events, gaps: this.#gaps };
  }
}
