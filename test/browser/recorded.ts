/** A list that can be waited on. */
export class Recorded<T> {
  readonly all: T[] = [];
  readonly #waiting = new Set<() => void>();

  push(item: T): void {
    this.all.push(item);
    for (const check of this.#waiting) check();
  }

  /** The first item, from `start` on, that fits; at once or once it comes. */
  first(fits: (item: T) => boolean, start = 0): Promise<T> {
    return new Promise((resolve) => {
      const check = () => {
        const index = this.all.findIndex((item, i) => i >= start && fits(item));
        if (index === -1) return;
        this.#waiting.delete(check);
        resolve(this.all[index] as T);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** The item at this index, once it is there. */
  at(index: number): Promise<T> {
    return this.first(() => true, index);
  }
}
