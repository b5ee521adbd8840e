import { Child } from "../../support/child.ts";
import { mergePercentiles, type Percentiles } from "../../support/samples.ts";
import type { ClientPlan, ClientReport, CrowdAnswer, CrowdRequest } from "./crowd-messages.ts";

const OPEN_WITHIN_MS = 90_000;
const ANSWER_WITHIN_MS = 20_000;

export interface CrowdReport {
  /** In the order of the plans. */
  readonly clients: readonly { readonly plan: ClientPlan; readonly report: ClientReport }[];
}

/**
 * All clients of a scenario, in two processes of their own: steady ones apart from all others, so that what is seen of
 * them does not suffer from what the others do.
 */
export class Crowd {
  readonly #steady = new Child<CrowdRequest, CrowdAnswer>("../prove/support/crowd-process.ts");
  readonly #others = new Child<CrowdRequest, CrowdAnswer>("../prove/support/crowd-process.ts");
  #plans: { steady: readonly ClientPlan[]; others: readonly ClientPlan[] } = { steady: [], others: [] };

  /** @throws Error when one of them is not let in. */
  async open(plans: readonly ClientPlan[]): Promise<void> {
    const isSteady = ({ behaviour }: ClientPlan) => behaviour.kind === "steady";
    this.#plans = { steady: plans.filter(isSteady), others: plans.filter((plan) => !isSteady(plan)) };
    const answers = await Promise.all([
      this.#steady.ask({ kind: "open", plans: this.#plans.steady }, "opened", OPEN_WITHIN_MS),
      this.#others.ask({ kind: "open", plans: this.#plans.others }, "opened", OPEN_WITHIN_MS),
    ]);
    const problems = answers.flatMap((answer) => answer.problems);
    if (problems.length > 0) throw new Error(`${problems.length} clients were not let in: ${problems[0]}`);
  }

  /** The herd leaves at once; each of it comes back after so many milliseconds. */
  async stampede(leastMs: number, mostMs: number): Promise<void> {
    await this.#others.ask({ kind: "stampede", leastMs, mostMs }, "done", ANSWER_WITHIN_MS);
  }

  /** @throws Error when not all are connected in time. */
  async allConnected(withinMs: number): Promise<void> {
    await this.#wait({ kind: "await-connected", withinMs }, withinMs, "is not connected");
  }

  async calm(): Promise<void> {
    await this.#both({ kind: "calm" }, "done", ANSWER_WITHIN_MS);
  }

  /** @param last numbers of the last events, by tenant and stream. @throws Error when not all got them in time. */
  async settle(last: readonly (readonly number[])[], who: "steady" | "all", withinMs: number): Promise<void> {
    await this.#wait({ kind: "settle", last, who, withinMs }, withinMs, "has not got everything");
  }

  /** Starts anew to gather the latencies of steady clients. */
  async sample(): Promise<void> {
    await this.#steady.ask({ kind: "sample" }, "done", ANSWER_WITHIN_MS);
  }

  /** Of steady clients since then, milliseconds. */
  async latencies(): Promise<Percentiles> {
    const { latencies } = await this.#steady.ask({ kind: "latencies" }, "sampled", ANSWER_WITHIN_MS);
    return mergePercentiles([latencies]);
  }

  /** Closes all connections. */
  async report(): Promise<CrowdReport> {
    const [steady, others] = await this.#both({ kind: "report" }, "reported", ANSWER_WITHIN_MS);
    const pair = (plans: readonly ClientPlan[], reports: readonly ClientReport[]) =>
      reports.map((report, i) => ({ plan: plans[i]!, report }));
    return { clients: [...pair(this.#plans.steady, steady.clients), ...pair(this.#plans.others, others.clients)] };
  }

  async #wait(request: CrowdRequest, withinMs: number, what: string): Promise<void> {
    const answers = await this.#both(request, "behind", withinMs + ANSWER_WITHIN_MS);
    const count = answers.reduce((sum, answer) => sum + answer.count, 0);
    const first = answers.find((answer) => answer.count > 0)?.first;
    if (count > 0) throw new Error(`after ${withinMs / 1e3} s one of ${count} clients that ${what} is ${first}`);
  }

  #both<Kind extends CrowdAnswer["kind"]>(request: CrowdRequest, expected: Kind, withinMs: number) {
    return Promise.all([this.#steady.ask(request, expected, withinMs), this.#others.ask(request, expected, withinMs)]);
  }
}
