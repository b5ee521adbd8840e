import { until } from "../../../test/support/until.ts";
import { type BenchGateway, startGateway } from "../../support/gateway.ts";
import { SECRET } from "../../support/token-signers.ts";

export interface GatewaySetting {
  readonly redisUrl: string;
  readonly workers: number;
  readonly settings: Readonly<Record<string, string>>;
}

interface Status {
  readonly workers: readonly { readonly pid: number; readonly stage: string }[];
}

const LOG_KEPT = 16 * 1024;
const LOG_SHOWN = 12;

/** The gateway of a scenario, and what can be done to its processes. */
export class ProofGateway {
  readonly #gateway: BenchGateway;
  readonly #frozen = new Set<number>();
  readonly #log: { text: string };

  private constructor(gateway: BenchGateway, log: { text: string }) {
    this.#gateway = gateway;
    this.#log = log;
    // A process that was stopped would outlive everyone.
    process.once("exit", this.#thawAll);
  }

  static async start({ redisUrl, workers, settings }: GatewaySetting): Promise<ProofGateway> {
    const log = { text: "" };
    const gateway = await startGateway({
      redisUrl,
      workers,
      settings: { JWT_SECRET_KEY: SECRET, RAGLINE_CONNECT_RATE: "2000", LOG_LEVEL: "warn", ...settings },
      onLog: (text) => {
        log.text = (log.text + text).slice(-LOG_KEPT);
      },
    });
    return new ProofGateway(gateway, log);
  }

  get port(): number {
    return this.#gateway.port;
  }

  /** Process ids of those that deliver. */
  async workers(): Promise<number[]> {
    const { workers } = (await (await fetch(`${this.#gateway.admin}/status`)).json()) as Status;
    return workers.flatMap(({ pid, stage }) => (stage === "joined" ? [pid] : []));
  }

  /** To the primary. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.#gateway.pids[0]!, signal);
  }

  killWorker(pid: number): void {
    process.kill(pid, "SIGKILL");
  }

  freezeWorker(pid: number): void {
    process.kill(pid, "SIGSTOP");
    this.#frozen.add(pid);
  }

  /** Where it was killed meanwhile, nothing happens. */
  thawWorker(pid: number): void {
    this.#frozen.delete(pid);
    try {
      process.kill(pid, "SIGCONT");
    } catch {
      // It is gone.
    }
  }

  /** What /health/ready finds wrong; null: nothing. */
  async problems(): Promise<readonly string[] | null> {
    const answer = await fetch(`${this.#gateway.admin}/health/ready`);
    const { problems = [] } = (await answer.json()) as { problems?: string[] };
    if (answer.status === 503 && problems.length === 0) throw new Error("not ready, and it is not said why");
    return answer.status === 200 ? null : problems;
  }

  /** @throws Error when it does not say so in time. @returns what is wrong. */
  untilNotReady(withinMs: number): Promise<readonly string[]> {
    return until("/health/ready to answer 503", async () => (await this.problems()) ?? false, withinMs);
  }

  /** @throws Error when it is not in time. */
  async untilReady(withinMs: number): Promise<void> {
    await until("/health/ready to answer 200", async () => (await this.problems()) === null, withinMs);
  }

  /** The last lines it logged, each kind once. */
  troubles(): string[] {
    const lines = this.#log.text
      .split("\n")
      .filter((line) => line !== "")
      .map(inShort);
    const kinds = new Map(lines.map((line) => [line.replace(/\d+/g, ""), line]));
    return [...kinds.values()].slice(-LOG_SHOWN);
  }

  async stop(): Promise<void> {
    this.#thawAll();
    process.off("exit", this.#thawAll);
    await this.#gateway.stop();
  }

  readonly #thawAll = () => {
    for (const pid of this.#frozen) this.thawWorker(pid);
  };
}

/** A line of the gateway's log; what is no such line, a crash for instance, as it is. */
function inShort(line: string): string {
  try {
    const { msg, reason, err } = JSON.parse(line) as { msg: string; reason?: string; err?: { message: string } };
    return [msg, reason, err?.message].filter((part) => part !== undefined).join(": ");
  } catch {
    return line.slice(0, 400);
  }
}
