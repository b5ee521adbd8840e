import { type ChildProcess, fork, type Serializable } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * A helper process of ours that answers one request at a time. It ends with this process however this process ends, and
 * does not keep it alive.
 */
export class Child<Request extends { kind: string }, Answer extends { kind: string }> {
  readonly #process: ChildProcess;
  readonly #name: string;
  #answered: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null;

  /** @param file module beside this one. */
  constructor(file: string) {
    this.#name = file;
    const module = fileURLToPath(new URL(file, import.meta.url));
    this.#process = fork(module, { serialization: "advanced", stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#process.unref();
    this.#process.channel!.unref();
    this.#process.on("message", (answer) => {
      this.#answered?.resolve(answer as Answer);
      this.#answered = null;
    });
    this.#process.on("exit", () => {
      this.#answered?.reject(new Error(`${file} ended before it answered`));
      this.#answered = null;
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** @throws Error when it does not answer in time, or ends, or its answer is another one. */
  async ask<Kind extends Answer["kind"]>(
    request: Request,
    expected: Kind,
    withinMs: number,
  ): Promise<Extract<Answer, { kind: Kind }>> {
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#answered = { resolve, reject };
      const late = () => reject(new Error(`${this.#name} did not answer "${request.kind}" in time`));
      timer = setTimeout(late, withinMs);
      this.#process.send(request as Serializable);
    }).finally(() => clearTimeout(timer));
    if (answer.kind !== expected) throw new Error(`${this.#name} answered "${answer.kind}" to "${request.kind}"`);
    return answer as Extract<Answer, { kind: Kind }>;
  }
}
