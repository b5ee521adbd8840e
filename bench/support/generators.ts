import { Child } from "./child.ts";
import { cores } from "./cores.ts";
import type { ConnectionPlan, GeneratorAnswer, GeneratorRequest, Opened, Received } from "./load-messages.ts";

const OPEN_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;
const LEAST_PROCESSES = 2;
const AT_ONCE = 64;

/** The load generators, in processes of their own on the clients' cores. */
export class Generators {
  readonly #children: Child<GeneratorRequest, GeneratorAnswer>[];

  constructor(processes: number = Math.max(LEAST_PROCESSES, cores.clients.length)) {
    this.#children = Array.from({ length: processes }, () => new Child("./generator-process.ts"));
  }

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid);
  }

  /**
   * Opens connections beside those there are, dealt out among the processes.
   * @throws Error when any of them is refused.
   */
  async open(plans: readonly ConnectionPlan[]): Promise<Pick<Opened, "cursor">> {
    const each = Math.ceil(plans.length / this.#children.length);
    const opened = await Promise.all(
      this.#children.map((child, n) => {
        const share = plans.slice(n * each, (n + 1) * each);
        return child.ask({ kind: "open", connections: share, atOnce: AT_ONCE }, "opened", OPEN_WITHIN_MS);
      }),
    );
    const problems = opened.flatMap((answer) => answer.opened.problems);
    if (problems.length > 0) throw new Error(`${problems.length} connections failed, the first: ${problems[0]}`);
    return { cursor: opened[0]!.opened.cursor };
  }

  /** Counts from zero. @param sampleEvery how many deliveries one latency is kept of. */
  async restart(sampleEvery: number): Promise<void> {
    await Promise.all(
      this.#children.map((child) => child.ask({ kind: "restart", sampleEvery }, "restarted", ANSWER_WITHIN_MS)),
    );
  }

  /**
   * Waits until every connection has all events of its tenant.
   * @param sent events so far, by tenant.
   */
  async settle(sent: Uint32Array, withinMs: number): Promise<Received[]> {
    const request: GeneratorRequest = { kind: "settle", sent, withinMs };
    const answers = this.#children.map((child) => child.ask(request, "settled", withinMs + ANSWER_WITHIN_MS));
    return (await Promise.all(answers)).map(({ received }) => received);
  }

  async closeConnections(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.ask({ kind: "close" }, "closed", ANSWER_WITHIN_MS)));
  }
}
