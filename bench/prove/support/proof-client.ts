import { nowMicros } from "../../support/clock.ts";
import type { Samples } from "../../support/samples.ts";
import { Connection, type Dribble } from "./connection.ts";
import type { ClientPlan, ClientReport } from "./crowd-messages.ts";
import type { Heard } from "./messages.ts";
import { Random } from "./random.ts";
import { Recorder } from "./record.ts";

const GREETED_WITHIN_MS = 30_000;
/** Milliseconds until a client comes back that was cut, or not let in. */
const RETRY_MS = { least: 200, most: 1_000 };
/** How often a slow client stops for longer, of all times it reads. */
const LONG_PAUSES = 0.02;

/** A client as it should be: it keeps the last id it was given, and comes back with it however its connection ended. */
export class ProofClient {
  readonly plan: ClientPlan;
  isConnected = false;
  /** By stream: the highest number it got. */
  readonly highest: number[] = [];
  readonly #random: Random;
  readonly #samples: Samples;
  readonly #recorder = new Recorder();
  readonly #ends: string[] = [];
  readonly #refusals: number[] = [];
  #cuts = 0;
  #failures = 0;
  #cursor: string | undefined;
  #connection: Connection | null = null;
  #timer: NodeJS.Timeout | undefined;
  #retryMs: number | undefined;
  #isCalm = false;
  #isClosed = false;

  /** @param samples gets the latency of what a steady client is sent. */
  constructor(plan: ClientPlan, samples: Samples) {
    this.plan = plan;
    this.#random = new Random(plan.seed, plan.name);
    this.#samples = samples;
    this.#connect();
  }

  /** Was connected once: from then on it is owed every event. */
  get hasStarted(): boolean {
    return this.#cursor !== undefined;
  }

  /** Cuts, and comes back after so many milliseconds. */
  leave(leastMs: number, mostMs: number): void {
    this.#drop();
    this.#cuts++;
    this.#connectAfter(this.#random.between(leastMs, mostMs));
  }

  /** Neither cuts nor dawdles any more. */
  calm(): void {
    this.#isCalm = true;
    this.#connection?.hurry();
  }

  close(): ClientReport {
    this.#isClosed = true;
    this.#drop();
    const [ends, refusals] = [this.#ends, this.#refusals];
    return { record: this.#recorder.taken(), cuts: this.#cuts, failures: this.#failures, ends, refusals };
  }

  heard(what: Heard): void {
    switch (what.kind) {
      case "connected":
        this.#cursor = what.id;
        this.#greeted();
        return;
      case "heartbeat":
        this.#cursor = what.id;
        return;
      case "gap":
        this.#recorder.gap(what.topic, what.reason);
        return;
      case "reconnect":
        this.#retryMs = what.retryMs;
        return;
      case "event": {
        const { tenant, stream, n, at } = what.mark;
        this.#cursor = what.id;
        this.#recorder.event(tenant, stream, n);
        this.highest[stream] = Math.max(this.highest[stream] ?? -1, n);
        if (this.plan.behaviour.kind === "steady" && this.#samples.wants()) this.#samples.add(nowMicros() - at);
      }
    }
  }

  over(why: string, refusal: number | null): void {
    const wasConnected = this.isConnected;
    this.#drop();
    if (wasConnected) this.#ends.push(why);
    else if (refusal !== null) this.#refusals.push(refusal);
    else this.#failures++;
    this.#connectAfter(this.#retryMs ?? this.#random.between(RETRY_MS.least, RETRY_MS.most));
    this.#retryMs = undefined;
  }

  #connectAfter(ms: number): void {
    if (!this.#isClosed) this.#timer = setTimeout(() => this.#connect(), ms);
  }

  #connect(): void {
    const { port, token, endpoints } = this.plan;
    const random = this.#random;
    const options = { port, token, cursor: this.#cursor, cursorInQuery: random.next() < 0.5 };
    this.#connection = new Connection({ ...options, ...random.pick(endpoints), dribble: this.#dribble() }, this);
    this.#timer = setTimeout(() => this.over("no greeting came in time", null), GREETED_WITHIN_MS);
  }

  #greeted(): void {
    clearTimeout(this.#timer);
    this.isConnected = true;
    const { behaviour } = this.plan;
    if (behaviour.kind !== "restless" || this.#isCalm) return;
    this.#timer = setTimeout(
      () => {
        if (!this.#isCalm) this.leave(0, behaviour.awayMs);
      },
      this.#random.between(0, behaviour.stayMs),
    );
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#connection?.cut();
    this.#connection = null;
    this.isConnected = false;
  }

  #dribble(): Dribble | undefined {
    const { behaviour } = this.plan;
    if (behaviour.kind !== "slow" || this.#isCalm) return undefined;
    const { bytes, pauseMs, longPauseMs } = behaviour;
    const random = this.#random;
    const pause = () => random.between(1, random.next() < LONG_PAUSES ? longPauseMs : pauseMs);
    return { bytes, pauseMs: pause };
  }
}
