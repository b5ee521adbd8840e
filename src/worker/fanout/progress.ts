import type { StreamPositionEntry } from "../../protocol/relay.js";

/**
 * How far this worker has handed its own streams to the siblings, for those that got nothing of them lately. Not where it
 * stands itself: what the last owner had sent to it alone, the others have yet to be sent.
 */
export class Progress {
  readonly #streams = new Map<string, StreamPositionEntry>();
  readonly #announced = new Map<string, StreamPositionEntry>();

  /** This worker reads the streams from here on, or has handed over everything up to here. */
  note(entries: Iterable<StreamPositionEntry>): void {
    for (const entry of entries) this.#streams.set(entry[0], entry);
  }

  remove(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#streams.delete(key);
      this.#announced.delete(key);
    }
  }

  all(): StreamPositionEntry[] {
    return [...this.#streams.values()];
  }

  /** What moved since the last call. */
  changed(): StreamPositionEntry[] {
    const moved = this.all().filter(([key, id]) => this.#announced.get(key)?.[1] !== id);
    for (const entry of moved) this.#announced.set(entry[0], entry);
    return moved;
  }
}
