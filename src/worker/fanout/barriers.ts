interface Barrier {
  readonly waitingFor: Set<number>;
  readonly passed: () => void;
}

/** Questions to all siblings, each of which is over when every one of them has answered or is gone. */
export class Barriers {
  readonly #raised = new Map<number, Barrier>();
  #lastNumber = 0;

  raise(siblings: readonly number[]): { number: number; passed: Promise<void> } {
    const number = ++this.#lastNumber;
    if (siblings.length === 0) return { number, passed: Promise.resolve() };
    const passed = new Promise<void>((resolve) => {
      this.#raised.set(number, { waitingFor: new Set(siblings), passed: resolve });
    });
    return { number, passed };
  }

  pass(number: number, sibling: number): void {
    const barrier = this.#raised.get(number);
    if (barrier === undefined) return;
    barrier.waitingFor.delete(sibling);
    if (barrier.waitingFor.size > 0) return;
    this.#raised.delete(number);
    barrier.passed();
  }

  /** The sibling will not answer any more. */
  passAll(sibling: number): void {
    for (const number of [...this.#raised.keys()]) this.pass(number, sibling);
  }
}
