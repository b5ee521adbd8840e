import type { ToPrimary, ToWorker } from "../protocol/control.js";

type Question = Extract<ToPrimary, { request: number }>;
type Answer = Extract<ToWorker, { request: number }>;
/** A question without its number. */
type Unnumbered<T> = T extends unknown ? Omit<T, "request"> : never;

/** The channel to the primary: messages, and questions that it answers. */
export class PrimaryLink {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastRequest = 0;

  tell(message: ToPrimary): void {
    if (process.connected) process.send!(message);
  }

  /** @returns null when there is no answer within `timeoutMs`. */
  ask(question: Unnumbered<Question>, timeoutMs: number): Promise<Answer | null> {
    const request = ++this.#lastRequest;
    return new Promise((resolve) => {
      const settle = (answer: Answer | null) => {
        clearTimeout(timer);
        this.#waiting.delete(request);
        resolve(answer);
      };
      const timer = setTimeout(() => settle(null), timeoutMs);
      this.#waiting.set(request, settle);
      this.tell({ ...question, request } as Question);
    });
  }

  answered(answer: Answer): void {
    this.#waiting.get(answer.request)?.(answer);
  }
}
