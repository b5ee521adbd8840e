import type { BatchRecord } from "../../protocol/batch.js";

/** An event on its way to a tenant's subscribers. */
export interface LiveEvent {
  readonly topic: string;
  readonly streamKey: string;
  readonly record: BatchRecord;
}

/** Most bytes of live events kept for one connection while it catches up. */
const MAX_HELD_BYTES = 256 * 1024;

/** Live events kept, in order, for a connection that is still being given older ones. */
export class Hold {
  #events: LiveEvent[] = [];
  #bytes = 0;
  #overflowed = false;

  keep(event: LiveEvent): void {
    if (this.#overflowed) return;
    this.#bytes += event.record.jsonTail.length;
    if (this.#bytes > MAX_HELD_BYTES) {
      this.#overflowed = true;
      this.#events = [];
      return;
    }
    this.#events.push(event);
  }

  /** What was kept since the last call. @returns null when it was too much: then Redis has to be asked again. */
  take(): LiveEvent[] | null {
    const events = this.#overflowed ? null : this.#events;
    this.#events = [];
    this.#bytes = 0;
    this.#overflowed = false;
    return events;
  }
}
