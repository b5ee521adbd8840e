import cluster, { type Worker as Process } from "node:cluster";
import { join } from "node:path";
import type { Log } from "../observe/log.js";
import type { Peer, StreamProgress, ToPrimary, ToWorker, WorkerHealth } from "../protocol/control.js";
import { allUnits, type StreamLayout, type UnitId } from "../protocol/stream.js";
import { Census } from "./census.js";
import { Ownership } from "./ownership.js";
import { Quotas } from "./quotas.js";
import { Restarts } from "./restarts.js";
import { Watchdog } from "./watchdog.js";

export interface FleetOptions {
  readonly workers: number;
  /** Module every worker process runs. */
  readonly entry: string;
  readonly group: string;
  readonly layout: StreamLayout;
  /** Private directory for the workers' sockets. */
  readonly directory: string;
  /** Milliseconds a worker that is stopped has to send its clients away. */
  readonly drainMs: number;
  readonly log: Log;
  /** The gateway cannot do its work at all, for instance because the port is taken. */
  readonly onFailed: (message: string) => void;
}

/** A worker process. While a worker is being replaced, two of them have the same number. */
export interface Member {
  readonly id: number;
  readonly incarnation: number;
  readonly process: Process;
  stage: "starting" | "reachable" | "joined" | "leaving";
  health: WorkerHealth | null;
  /** Of the streams it owns or owned, by key. */
  readonly streams: Map<string, StreamProgress>;
}

/** Milliseconds beyond the drain after which a worker that still runs is killed. */
const KILL_AFTER_MS = 5_000;
/** Milliseconds the first workers wait for each other before the streams are shared out among those that are there. */
const GATHER_MS = 2_000;
/** Bytes of request headers a worker takes, so that an 8 KiB token fits; more is answered with 431. */
const MAX_HEADER_BYTES = 32 * 1024;

/** The worker processes: forked, introduced to each other, given their streams, replaced when they die. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #members = new Map<number, Member>();
  readonly #census: Census;
  readonly #quotas = new Quotas();
  readonly #ownership: Ownership;
  readonly #restarts = new Restarts(() => Date.now());
  readonly #watchdog: Watchdog;
  #gathering: { readonly timer: NodeJS.Timeout; readonly joined: Member[] } | null = null;
  #waiting: (() => void)[] = [];
  /** The streams were shared out among those that started together. */
  #hasGathered = false;
  #wasServed = false;
  #rolling = false;
  #stopping = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#census = new Census(
      () => this.members().flatMap(({ incarnation, stage }) => (stage === "joined" ? [incarnation] : [])),
      (incarnation, message) => this.#tell(incarnation, message),
    );
    this.#ownership = new Ownership({
      units: allUnits(options.layout),
      tell: (incarnation, message) => {
        if (!this.#stopping) this.#tell(incarnation, message);
      },
      now: () => Date.now(),
    });
    this.#watchdog = new Watchdog((incarnation) => this.#kill(incarnation, "it is silent"));
    cluster.setupPrimary({ exec: options.entry, args: [] });
    for (let id = 1; id <= options.workers; id++) this.#start(id);
  }

  members(): readonly Member[] {
    return [...this.#members.values()];
  }

  unitsOf({ incarnation }: Member): readonly UnitId[] {
    return this.#ownership.unitsOf(incarnation);
  }

  /** Whether every stream has been read for the first time. */
  get hasStarted(): boolean {
    this.#wasServed ||= this.#ownership.unservedFor() === 0;
    return this.#wasServed;
  }

  /** Milliseconds for which some stream has not been read; 0 when every stream is. */
  unservedFor(): number {
    return this.#ownership.unservedFor();
  }

  /**
   * Replaces the workers one after the other: each new process joins before the old one gives up its streams and sends
   * its clients away. Stops half-way, with everyone still served, when a new process does not come up.
   */
  async roll(): Promise<void> {
    const { log, workers } = this.#options;
    if (this.#rolling || this.#stopping) return;
    this.#rolling = true;
    log.info("replacing the workers");
    for (let id = 1; id <= workers; id++) {
      if (!(await this.#replace(id))) {
        log.error({ worker: id }, "a new worker did not come up: the others are left as they are");
        break;
      }
    }
    this.#rolling = false;
    log.info("the workers were replaced");
  }

  /** Resolves once every worker has gone; those that take too long are killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#watchdog.stop();
    await Promise.all(this.members().map((member) => this.#dismiss(member)));
  }

  /** Ends a stop that is under way at once. */
  hurry(): void {
    for (const { incarnation } of this.members()) this.#tell(incarnation, { kind: "stop", windowMs: 0 });
  }

  #start(id: number): Member {
    const process = cluster.fork({ UWS_HTTP_MAX_HEADERS_SIZE: String(MAX_HEADER_BYTES) });
    const incarnation = process.id;
    const member: Member = { id, incarnation, process, stage: "starting", health: null, streams: new Map() };
    this.#members.set(incarnation, member);
    this.#watchdog.heard(incarnation);
    process.on("message", (message: ToPrimary) => {
      this.#hear(member, message);
      this.#changed();
    });
    process.on("error", (error) => this.#options.log.error({ err: error, worker: id }, "a worker cannot be reached"));
    process.on("exit", (code, signal) => {
      this.#ended(member, code, signal);
      this.#changed();
    });
    return member;
  }

  /** @returns false when the new process died before it joined. */
  async #replace(id: number): Promise<boolean> {
    const old = this.members().find((member) => member.id === id && member.stage === "joined");
    if (old === undefined) return true;
    const fresh = this.#start(id);
    await this.#until(fresh, () => fresh.stage !== "starting" && fresh.stage !== "reachable");
    if (fresh.stage !== "joined") return false;
    old.stage = "leaving";
    this.#ownership.retire(old.incarnation);
    await this.#until(old, () => this.#ownership.hasReleased(old.incarnation));
    await this.#dismiss(old);
    return true;
  }

  /** Resolves once `isSo`, or the process has ended. */
  async #until({ incarnation }: Member, isSo: () => boolean): Promise<void> {
    while (this.#members.has(incarnation) && !isSo()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Wakes all that wait for a change of some member. */
  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async #dismiss({ incarnation, process }: Member): Promise<void> {
    const { drainMs } = this.#options;
    this.#tell(incarnation, { kind: "stop", windowMs: drainMs });
    if (process.isDead()) return;
    const killing = setTimeout(() => process.process.kill("SIGKILL"), drainMs + KILL_AFTER_MS);
    await new Promise((resolve) => process.once("exit", resolve));
    clearTimeout(killing);
  }

  #hear(member: Member, message: ToPrimary): void {
    const { incarnation } = member;
    // What is read from the channel after the exit comes too late.
    if (!this.#members.has(incarnation)) return;
    this.#watchdog.heard(incarnation);
    switch (message.kind) {
      case "ready":
        this.#assign(member);
        return;
      case "reachable":
        this.#introduce(member);
        return;
      case "joined":
        this.#join(member);
        return;
      case "reading":
        this.#ownership.reading(incarnation, message.units);
        return;
      case "released":
        this.#ownership.released(incarnation, message.move, message.told);
        return;
      case "handed-over":
        this.#ownership.handedOver(incarnation, message.move);
        return;
      case "lost-sibling":
        this.#kill(message.incarnation, "a sibling has lost the link to it");
        return;
      case "health":
        member.health = message.health;
        return;
      case "progress":
        for (const stream of message.streams) member.streams.set(stream.key, stream);
        return;
      case "collected":
        this.#census.collected(incarnation, message.request, message.statistics);
        return;
      case "take-place": {
        const { request, tenant, user, limits } = message;
        const taken = this.#quotas.take(incarnation, tenant, user, limits);
        this.#tell(incarnation, { kind: "place", request, taken });
        return;
      }
      case "give-back-place":
        this.#quotas.giveBack(incarnation, message.tenant, message.user);
        return;
      case "ask-statistics":
        void this.#answerStatistics(incarnation, message.request);
        return;
      case "failed":
        this.#options.onFailed(message.message);
        return;
    }
  }

  #assign({ id, incarnation }: Member): void {
    const { group, layout } = this.#options;
    this.#tell(incarnation, { kind: "assign", worker: id, group, layout, ...this.#peer(incarnation) });
  }

  /** The new one is told of all the others before they are told of it. */
  #introduce(member: Member): void {
    const { incarnation } = member;
    const others = this.members().filter(({ stage }) => stage !== "starting");
    member.stage = "reachable";
    this.#ownership.reachable(incarnation);
    this.#tell(incarnation, { kind: "meet", peers: others.map((other) => this.#peer(other.incarnation)) });
    for (const other of others) this.#tell(other.incarnation, { kind: "meet", peers: [this.#peer(incarnation)] });
  }

  #join(member: Member): void {
    member.stage = "joined";
    this.#restarts.joined(member.id);
    if (this.#hasGathered) {
      this.#ownership.joined(member.incarnation);
      return;
    }
    this.#gathering ??= { timer: setTimeout(() => this.#gathered(), GATHER_MS), joined: [] };
    this.#gathering.joined.push(member);
    if (this.#gathering.joined.length === this.#options.workers) this.#gathered();
  }

  #gathered(): void {
    const { timer, joined } = this.#gathering!;
    clearTimeout(timer);
    this.#hasGathered = true;
    this.#ownership.joined(...joined.map(({ incarnation }) => incarnation));
  }

  #ended(member: Member, code: number | null, signal: string | null): void {
    const { id, incarnation, stage } = member;
    this.#members.delete(incarnation);
    this.#watchdog.forget(incarnation);
    this.#census.forget(incarnation);
    this.#quotas.forget(incarnation);
    if (this.#stopping) return;
    this.#ownership.left(incarnation);
    const isReplaced = this.members().some((other) => other.id === id);
    if (isReplaced || stage === "leaving") return;
    const delay = this.#restarts.died(id, stage === "joined");
    if (delay === null) {
      this.#options.onFailed(`worker ${id} keeps ending as it starts, last with ${signal ?? `exit code ${code}`}`);
      return;
    }
    this.#options.log.error({ worker: id, code, signal, restart_ms: delay }, "a worker ended and is replaced");
    setTimeout(() => {
      if (!this.#stopping) this.#start(id);
    }, delay);
  }

  #kill(incarnation: number, reason: string): void {
    const member = this.#members.get(incarnation);
    if (member === undefined) return;
    this.#options.log.error({ worker: member.id, reason }, "a worker is killed");
    member.process.process.kill("SIGKILL");
  }

  async #answerStatistics(incarnation: number, request: number): Promise<void> {
    const workers = await this.#census.take();
    this.#tell(incarnation, { kind: "statistics", request, workers });
  }

  #tell(incarnation: number, message: ToWorker): void {
    const process = this.#members.get(incarnation)?.process;
    if (process?.isConnected()) process.send(message);
  }

  #peer(incarnation: number): Peer {
    return { incarnation, socketPath: join(this.#options.directory, `${incarnation}.sock`) };
  }
}
