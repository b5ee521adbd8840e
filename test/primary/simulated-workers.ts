import assert from "node:assert/strict";
import { Ownership } from "../../src/primary/ownership.ts";
import type { ToPrimary, ToWorker } from "../../src/protocol/control.ts";
import type { UnitId } from "../../src/protocol/stream.ts";

/** What one worker sends another: a batch of events of this unit, or its last word on the units of this move. */
type Frame = { readonly unit: UnitId } | { readonly move: number };
type Gone = Extract<ToWorker, { kind: "gone" }>;
type Release = Extract<ToWorker, { kind: "release" }>;

class Process {
  readonly incarnation: number;
  readonly toDo: ToWorker[] = [];
  readonly said: ToPrimary[] = [];
  readonly siblings = new Set<number>();
  /** What it reads. */
  readonly holds = new Set<UnitId>();
  readonly releasing: Release[] = [];
  readonly burying: Gone[] = [];
  stage: "reachable" | "joined" | "retired" = "reachable";
  isAlive = true;

  constructor(incarnation: number) {
    this.incarnation = incarnation;
  }
}

/** In the order of each of them, but in any order between them. */
export const STEPS = ["start", "join", "retire", "kill", "exit", "obey", "finish", "read", "publish", "hear"] as const;
export type StepName = (typeof STEPS)[number];
export interface Step {
  readonly does: StepName;
  /** Which of those that can, and how much of what a dying process sent is lost. */
  readonly pick: number;
}

const MOST_PROCESSES = 5;
const MOST_STEPS_TO_SETTLE = 100_000;

/**
 * Worker processes as far as ownership goes. Every message between the primary and a worker, and every frame between two
 * workers, is under way until a step delivers it; a process that dies loses any part of what it sent last.
 */
export class SimulatedWorkers {
  readonly ownership: Ownership;
  readonly units: readonly UnitId[];
  now = 0;
  readonly #processes = new Map<number, Process>();
  /** Dead, and the primary does not know yet. */
  readonly #unburied: Process[] = [];
  /** Of whom the primary may yet hear, although it knows. */
  readonly #late: Process[] = [];
  readonly #frames = new Map<string, { from: number; to: Process; queue: Frame[] }>();
  #lastIncarnation = 0;

  constructor(units: readonly UnitId[]) {
    this.units = units;
    this.ownership = new Ownership({
      units,
      tell: (incarnation, message) => this.#tell(incarnation, message),
      now: () => this.now,
    });
  }

  take({ does, pick }: Step): void {
    this[does](pick);
  }

  /** Delivers everything, until there is nothing left to do. At least one worker is there in the end. */
  settle(): void {
    if (![...this.#processes.values()].some(({ isAlive, stage }) => isAlive && stage === "joined")) {
      this.start();
      this.#join(this.#processes.get(this.#lastIncarnation)!);
    }
    for (let steps = 0; this.#stir(steps); steps++) assert.ok(steps < MOST_STEPS_TO_SETTLE, "it never settles");
  }

  /** Every unit is read by one worker that may, and all have their share. */
  assertSettled(): void {
    const eligible = this.#alive().filter(({ stage }) => stage === "joined");
    const read = this.#alive().flatMap(({ holds }) => [...holds]);
    assert.deepEqual(read.sort(), [...this.units].sort(), "every unit has exactly one reader");
    for (const { incarnation, holds } of this.#alive()) {
      assert.deepEqual([...holds].sort(), [...this.ownership.unitsOf(incarnation)].sort());
    }
    const loads = eligible.map(({ holds }) => holds.size);
    assert.equal(
      loads.reduce((sum, load) => sum + load, 0),
      this.units.length,
      "no other process reads",
    );
    assert.ok(Math.max(...loads) - Math.min(...loads) <= 1, `uneven: ${loads}`);
    assert.equal(this.ownership.unservedFor(), 0);
    for (const { incarnation, stage } of this.#alive()) {
      if (stage === "retired") assert.ok(this.ownership.hasReleased(incarnation));
    }
  }

  /** A process becomes reachable, and is introduced as the fleet does it. */
  start(): void {
    if (this.#alive().length >= MOST_PROCESSES) return;
    const process = new Process(++this.#lastIncarnation);
    const others = [...this.#processes.values()];
    this.#processes.set(process.incarnation, process);
    this.ownership.reachable(process.incarnation);
    const peer = ({ incarnation }: Process) => ({ incarnation, socketPath: "" });
    process.toDo.push({ kind: "meet", peers: others.map(peer) });
    for (const { toDo } of others) toDo.push({ kind: "meet", peers: [peer(process)] });
  }

  join(pick: number): void {
    this.#join(
      one(
        this.#alive().filter(({ stage }) => stage === "reachable"),
        pick,
      ),
    );
  }

  retire(pick: number): void {
    const process = one(
      this.#alive().filter(({ stage }) => stage === "joined"),
      pick,
    );
    if (process === undefined) return;
    process.stage = "retired";
    this.ownership.retire(process.incarnation);
  }

  /** The kernel still delivers what it had taken, which is any part of it from the first on. */
  kill(pick: number): void {
    const process = one(this.#alive(), pick);
    if (process === undefined) return;
    process.isAlive = false;
    process.holds.clear();
    this.#unburied.push(process);
    for (const { from, to, queue } of this.#frames.values()) {
      if (to === process) queue.length = 0;
      else if (from === process.incarnation) queue.length = (pick * 7) % (queue.length + 1);
    }
  }

  /** The primary learns of a death, perhaps before it has heard all that the process said. */
  exit(pick: number): void {
    const process = one(this.#unburied, pick);
    if (process === undefined) return;
    this.#unburied.splice(this.#unburied.indexOf(process), 1);
    this.#processes.delete(process.incarnation);
    this.#late.push(process);
    this.ownership.left(process.incarnation);
  }

  /** A worker does what it was told next. */
  obey(pick: number): void {
    const process = one(
      this.#alive().filter(({ toDo }) => toDo.length > 0),
      pick,
    );
    if (process !== undefined) this.#obey(process, process.toDo.shift()!);
  }

  /** A worker has delivered everything it read of units that it is to release. */
  finish(pick: number): void {
    const process = one(
      this.#alive().filter(({ releasing }) => releasing.length > 0),
      pick,
    );
    if (process === undefined) return;
    const { units, move } = process.releasing.shift()!;
    for (const unit of units) this.#send(process, { unit });
    for (const unit of units) process.holds.delete(unit);
    this.#send(process, { move });
    process.said.push({ kind: "released", move, told: [...process.siblings] });
  }

  /** A worker delivers what a sibling sent. */
  read(pick: number): void {
    const channel = one(
      [...this.#frames.values()].filter(({ queue }) => queue.length > 0),
      pick,
    );
    if (channel === undefined) return;
    const frame = channel.queue.shift()!;
    if ("move" in frame) channel.to.said.push({ kind: "handed-over", move: frame.move });
    this.#bury(channel.to);
  }

  /** A worker sends events of a unit to all the others. */
  publish(pick: number): void {
    const process = one(
      this.#alive().filter(({ holds }) => holds.size > 0),
      pick,
    );
    if (process !== undefined) this.#send(process, { unit: one([...process.holds], pick)! });
  }

  /** The primary hears what a process said next, be that process dead meanwhile. */
  hear(pick: number): void {
    const process = one(
      [...this.#processes.values(), ...this.#late].filter(({ said }) => said.length > 0),
      pick,
    );
    const message = process?.said.shift();
    if (message?.kind === "released") this.ownership.released(process!.incarnation, message.move, message.told);
    if (message?.kind === "reading") this.ownership.reading(process!.incarnation, message.units);
    if (message?.kind === "handed-over") this.ownership.handedOver(process!.incarnation, message.move);
  }

  #alive(): Process[] {
    return [...this.#processes.values()].filter(({ isAlive }) => isAlive);
  }

  #join(process: Process | undefined): void {
    if (process === undefined) return;
    process.stage = "joined";
    this.ownership.joined(process.incarnation);
  }

  #tell(incarnation: number, message: ToWorker): void {
    if (message.kind === "take-over") this.#assertFree(message.units);
    this.#processes.get(incarnation)!.toDo.push(message);
  }

  /** Nobody reads them, nobody is about to, and nothing of them is on its way to anybody. */
  #assertFree(units: readonly UnitId[]): void {
    for (const { incarnation, holds, toDo } of this.#alive()) {
      const coming = toDo.flatMap((message) => (message.kind === "take-over" ? message.units : []));
      const held = units.filter((unit) => holds.has(unit) || coming.includes(unit));
      assert.deepEqual(held, [], `${incarnation} reads what is to be taken over`);
    }
    for (const { from, to, queue } of this.#frames.values()) {
      const undelivered = queue.flatMap((frame) => ("unit" in frame && units.includes(frame.unit) ? [frame.unit] : []));
      assert.deepEqual(undelivered, [], `${to.incarnation} has yet to deliver what ${from} sent`);
    }
  }

  #obey(process: Process, message: ToWorker): void {
    switch (message.kind) {
      case "meet":
        for (const { incarnation } of message.peers) process.siblings.add(incarnation);
        return;
      case "take-over":
        for (const unit of message.units) process.holds.add(unit);
        for (const unit of message.units) this.#send(process, { unit });
        process.said.push({ kind: "reading", units: message.units });
        return;
      case "release":
        for (const unit of message.units) assert.ok(process.holds.has(unit), "only what one has can be released");
        process.releasing.push(message);
        return;
      case "gone":
        process.burying.push(message);
        this.#bury(process);
    }
  }

  /** Confirms each death after which everything of the dead one has been delivered. */
  #bury(process: Process): void {
    for (const message of [...process.burying]) {
      if (this.#channel(message.incarnation, process).queue.length > 0) continue;
      process.burying.splice(process.burying.indexOf(message), 1);
      process.siblings.delete(message.incarnation);
      process.said.push({ kind: "handed-over", move: message.move });
    }
  }

  #send({ incarnation, siblings }: Process, frame: Frame): void {
    for (const sibling of siblings) {
      const to = this.#processes.get(sibling);
      if (to?.isAlive) this.#channel(incarnation, to).queue.push(frame);
    }
  }

  #channel(from: number, to: Process) {
    const name = `${from}>${to.incarnation}`;
    const channel = this.#frames.get(name) ?? { from, to, queue: [] };
    this.#frames.set(name, channel);
    return channel;
  }

  /** @returns whether anything was to be done. */
  #stir(turn: number): boolean {
    const isBusy =
      this.#unburied.length > 0 ||
      [...this.#frames.values()].some(({ queue }) => queue.length > 0) ||
      this.#late.some(({ said }) => said.length > 0) ||
      [...this.#processes.values()].some((p) => p.toDo.length + p.said.length + p.releasing.length > 0);
    if (isBusy) for (const does of ["exit", "obey", "read", "finish", "hear"] as const) this[does](turn);
    return isBusy;
  }
}

function one<T>(candidates: readonly T[], pick: number): T | undefined {
  return candidates[pick % candidates.length];
}
