import type { StreamPositionEntry } from "../../protocol/relay.js";
import { type Positions, positionEntry } from "./positions.js";

/** How far this worker has delivered its own streams, for the siblings that got nothing of them lately. */
export class Progress {
  readonly #keys = new Set<string>();
  readonly #positions: Positions;
  readonly #announced = new Map<string, string>();

  constructor(positions: Positions) {
    this.#positions = positions;
  }

  /** This worker reads them from now on, and knows where they stand. */
  add(keys: Iterable<string>): void {
    for (const key of keys) this.#keys.add(key);
  }

  remove(keys: Iterable<string>): void {
    for (const key of keys) {
      this.#keys.delete(key);
      this.#announced.delete(key);
    }
  }

  all(): StreamPositionEntry[] {
    return [...this.#keys].flatMap((key): StreamPositionEntry[] => {
      const position = this.#positions.get(key);
      return position === undefined ? [] : [positionEntry(key, position)];
    });
  }

  /** What moved since the last call. */
  changed(): StreamPositionEntry[] {
    const moved = this.all().filter(([key, id]) => this.#announced.get(key) !== id);
    for (const [key, id] of moved) this.#announced.set(key, id);
    return moved;
  }
}
