/** Random numbers that come again with the same seed, so that a run can be repeated. */
export class Random {
  readonly #name: string;
  #state: number;

  /** @param name what they are for: each name has numbers of its own. */
  constructor(seed: number, name: string) {
    this.#name = `${seed}/${name}`;
    this.#state = fnv1a(this.#name);
  }

  /** Numbers of their own for a part, whatever is taken from these. */
  for(part: string): Random {
    return new Random(0, `${this.#name}/${part}`);
  }

  /** From 0 up to, but not including, 1: mulberry32 (https://github.com/bryc/code/blob/master/jshash/PRNGs.md). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  /** A whole number from 0 up to, but not including, `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
