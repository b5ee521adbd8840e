import cluster, { type Worker as Process } from "node:cluster";
import { join } from "node:path";
import type { Log } from "../observe/log.js";
import type { ToPrimary, ToWorker, WorkerHealth, WorkerStatistics } from "../protocol/control.js";
import type { StreamLayout, UnitId } from "../protocol/stream.js";
import { Census } from "./census.js";
import { type QuotaLimits, Quotas } from "./quotas.js";

export interface FleetOptions {
  readonly workers: number;
  /** Module every worker process runs. */
  readonly entry: string;
  readonly group: string;
  readonly layout: StreamLayout;
  readonly units: ReadonlyMap<number, readonly UnitId[]>;
  /** Private directory for the workers' sockets. */
  readonly directory: string;
  readonly quotas: QuotaLimits;
  readonly log: Log;
  /** A worker cannot do its work at all, for instance because the port is taken. */
  readonly onFailed: (message: string) => void;
}

export interface Member {
  readonly id: number;
  readonly units: readonly UnitId[];
  process: Process;
  listening: boolean;
  health: WorkerHealth | null;
}

/** Milliseconds before a worker that died is replaced; doubles with each death up to the longest. */
const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 5_000;
/** Milliseconds of life after which earlier deaths are forgotten. */
const STABLE_AFTER_MS = 60_000;
/** Bytes of request headers a worker takes, so that an 8 KiB token fits; more is answered with 431. */
const MAX_HEADER_BYTES = 32 * 1024;

/** The worker processes: forked, told their part, replaced when they die. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members = new Map<number, Member>();
  readonly #census: Census;
  readonly #quotas: Quotas;
  readonly #restarts = new Map<number, { count: number; at: number }>();
  #stopping = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#census = new Census(
      () => this.members().flatMap(({ id, listening }) => (listening ? [id] : [])),
      (id, message) => this.#tell(id, message),
    );
    this.#quotas = new Quotas(options.quotas);
    cluster.setupPrimary({ exec: options.entry, args: [] });
    for (let id = 1; id <= options.workers; id++) this.#start(id);
  }

  members(): readonly Member[] {
    return [...this.#members.values()];
  }

  /** Resolves once every worker has gone; those that take longer than `graceMs` are killed. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const gone = this.members().map(({ id, process }) => {
      this.#tell(id, { kind: "stop" });
      return process.isDead() ? undefined : new Promise((resolve) => process.once("exit", resolve));
    });
    const killing = setTimeout(() => {
      for (const { process } of this.members()) process.process.kill("SIGKILL");
    }, graceMs);
    await Promise.all(gone);
    clearTimeout(killing);
  }

  #start(id: number): void {
    const { units, log } = this.#options;
    const process = cluster.fork({ UWS_HTTP_MAX_HEADERS_SIZE: String(MAX_HEADER_BYTES) });
    const member: Member = { id, units: units.get(id) ?? [], process, listening: false, health: null };
    this.#members.set(id, member);
    process.on("message", (message: ToPrimary) => this.#hear(member, message));
    process.on("error", (error) => log.error({ err: error, worker: id }, "a worker cannot be reached"));
    process.on("exit", (code, signal) => this.#replace(member, code, signal));
  }

  #assign(member: Member): void {
    const { group, layout, workers } = this.#options;
    const ids = Array.from({ length: workers }, (_, i) => i + 1);
    this.#tell(member.id, {
      kind: "assign",
      worker: member.id,
      group,
      layout,
      units: member.units,
      socketPath: this.#socketPath(member.id),
      siblings: ids
        .filter((id) => id !== member.id)
        .map((worker) => ({ worker, socketPath: this.#socketPath(worker) })),
    });
  }

  #replace({ id }: Member, code: number | null, signal: string | null): void {
    if (this.#stopping) return;
    const delay = this.#restartDelay(id);
    this.#options.log.error({ worker: id, code, signal, restart_ms: delay }, "a worker ended and is replaced");
    const member = this.#members.get(id)!;
    member.listening = false;
    member.health = null;
    this.#census.forget(id);
    this.#quotas.forget(id);
    setTimeout(() => {
      if (!this.#stopping) this.#start(id);
    }, delay);
  }

  #restartDelay(id: number): number {
    const last = this.#restarts.get(id);
    const now = Date.now();
    const count = last === undefined || now - last.at > STABLE_AFTER_MS ? 0 : last.count + 1;
    this.#restarts.set(id, { count, at: now });
    return Math.min(FIRST_RESTART_MS * 2 ** count, LONGEST_RESTART_MS);
  }

  #hear(member: Member, message: ToPrimary): void {
    switch (message.kind) {
      case "ready":
        this.#assign(member);
        return;
      case "listening":
        member.listening = true;
        return;
      case "health":
        member.health = message.health;
        return;
      case "collected":
        this.#census.collected(member.id, message.request, message.statistics);
        return;
      case "take-place": {
        const { request, tenant, user } = message;
        const taken = this.#quotas.take(member.id, tenant, user);
        this.#tell(member.id, { kind: "place", request, taken });
        return;
      }
      case "give-back-place":
        this.#quotas.giveBack(member.id, message.tenant, message.user);
        return;
      case "ask-statistics":
        void this.#answerStatistics(member.id, message.request);
        return;
      case "failed":
        this.#options.onFailed(message.message);
        return;
    }
  }

  async #answerStatistics(id: number, request: number): Promise<void> {
    const workers: readonly WorkerStatistics[] = await this.#census.take();
    this.#tell(id, { kind: "statistics", request, workers });
  }

  #tell(id: number, message: ToWorker): void {
    const process = this.#members.get(id)?.process;
    if (process?.isConnected()) process.send(message);
  }

  #socketPath(id: number): string {
    return join(this.#options.directory, `${id}.sock`);
  }
}
