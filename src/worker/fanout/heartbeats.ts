export interface Beating {
  readonly heartbeatSeconds: number;
  /** Sends one heartbeat. */
  beat(): void;
}

/**
 * One timer for all heartbeats. Who is added gets its first beat one interval later, then one every interval. The cost
 * of a second is that of the heartbeats due in it.
 */
export class Heartbeats {
  /** By interval in seconds, then by second modulo the interval. */
  readonly #wheels = new Map<number, Set<Beating>[]>();
  readonly #slotOf = new Map<Beating, Set<Beating>>();
  #second: number;

  /** @param second Unix time in whole seconds. */
  constructor(second: number) {
    this.#second = second;
  }

  add(beating: Beating): void {
    const interval = beating.heartbeatSeconds;
    let wheel = this.#wheels.get(interval);
    if (wheel === undefined) {
      wheel = Array.from({ length: interval }, () => new Set());
      this.#wheels.set(interval, wheel);
    }
    const slot = wheel[this.#second % interval]!;
    slot.add(beating);
    this.#slotOf.set(beating, slot);
  }

  remove(beating: Beating): void {
    this.#slotOf.get(beating)?.delete(beating);
    this.#slotOf.delete(beating);
  }

  /** Sends what fell due up to and including `second`. A clock that jumps far ahead causes one round, not many. */
  advance(second: number): void {
    for (const [interval, wheel] of this.#wheels) {
      const first = Math.max(this.#second + 1, second - interval + 1);
      for (let due = first; due <= second; due++) for (const beating of wheel[due % interval]!) beating.beat();
    }
    this.#second = second;
  }
}
