import type { Item } from "./reconcile.ts";

const GAP = 2 ** 31;
const STREAMS = 2 ** 8;
const FIRST_ITEMS = 128;

/** What one client got: two numbers an item, so that thousands of clients can keep everything and send it at once. */
export class Recorder {
  #words = new Uint32Array(2 * FIRST_ITEMS);
  #length = 0;
  readonly #names: string[] = [];

  event(tenant: number, stream: number, n: number): void {
    this.#push(tenant * STREAMS + stream, n);
  }

  gap(topic: string, reason: string): void {
    this.#push(GAP + this.#numberOf(topic), this.#numberOf(reason));
  }

  taken(): ClientRecord {
    return { words: this.#words.slice(0, this.#length), names: this.#names };
  }

  #push(first: number, second: number): void {
    if (this.#length === this.#words.length) {
      const larger = new Uint32Array(2 * this.#length);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words[this.#length++] = first;
    this.#words[this.#length++] = second;
  }

  #numberOf(name: string): number {
    const known = this.#names.indexOf(name);
    return known >= 0 ? known : this.#names.push(name) - 1;
  }
}

/** As it goes from one process to another. */
export interface ClientRecord {
  readonly words: Uint32Array;
  /** Topics and reasons of gaps, by number. */
  readonly names: readonly string[];
}

export function* itemsOf({ words, names }: ClientRecord): Iterable<Item> {
  for (let i = 0; i < words.length; i += 2) {
    const [first, second] = [words[i]!, words[i + 1]!];
    if (first >= GAP) yield { kind: "gap", topic: names[first - GAP]!, reason: names[second]! };
    else yield { kind: "event", tenant: Math.floor(first / STREAMS), stream: first % STREAMS, n: second };
  }
}
