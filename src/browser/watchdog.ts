/** Calls back when nothing was heard for a while: how a connection that died without a word is noticed. */
export class Watchdog {
  readonly #onSilence: () => void;
  #limitMs = 0;
  #heardAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onSilence: () => void) {
    this.#onSilence = onSilence;
  }

  /** Starts afresh with this limit, in milliseconds. */
  watch(limitMs: number): void {
    this.stop();
    this.#limitMs = limitMs;
    this.#heardAt = performance.now();
    this.#timer = setTimeout(this.#check, limitMs);
  }

  /** Something was heard. Cheap enough for every message: the timer is only looked at when it fires. */
  feed(): void {
    this.#heardAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  readonly #check = (): void => {
    const leftMs = this.#heardAt + this.#limitMs - performance.now();
    if (leftMs <= 0) this.#onSilence();
    else this.#timer = setTimeout(this.#check, leftMs);
  };
}
