import type { ToWorker } from "../protocol/control.js";
import type { UnitId } from "../protocol/stream.js";
import { assignUnits } from "./assign.js";

export interface OwnershipOptions {
  readonly units: readonly UnitId[];
  readonly tell: (incarnation: number, message: ToWorker) => void;
  /** Unix time in milliseconds. */
  readonly now: () => number;
}

interface Member {
  /** May own units: it has joined, and is not to go. */
  eligible: boolean;
  readonly units: Set<UnitId>;
  /** Those of them it has begun to read. */
  readonly reading: Set<UnitId>;
}

/** Units on their way from one owner to the next, which reads nothing before everyone has heard all of the last one. */
interface Move {
  /** null: it is dead. */
  readonly from: number | null;
  readonly units: readonly UnitId[];
  /** Processes that have not yet delivered everything the last owner sent them. */
  readonly waitingFor: Set<number>;
  /** Those that said so before the last owner said whom it had sent anything. */
  readonly early: Set<number>;
  /** The last owner has finished. */
  released: boolean;
}

/**
 * Who reads what. A unit has one owner or none, never two, and is without one only while it moves: from an owner that
 * was asked to release it, or from a process that died, to a worker that has room.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #members = new Map<number, Member>();
  readonly #moves = new Map<number, Move>();
  readonly #free: Set<UnitId>;
  #lastMove = 0;
  #unservedSince: number | null;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    this.#free = new Set(options.units);
    this.#unservedSince = options.now();
  }

  /** The process can be sent events by its siblings, and must hear of each that dies. */
  reachable(incarnation: number): void {
    this.#members.set(incarnation, { eligible: false, units: new Set(), reading: new Set() });
  }

  /** These processes may own units from now on. */
  joined(...incarnations: readonly number[]): void {
    for (const incarnation of incarnations) {
      const member = this.#members.get(incarnation);
      if (member !== undefined) member.eligible = true;
    }
    this.#settle();
  }

  /** The process has begun to read these, if it owns them. */
  reading(incarnation: number, units: readonly UnitId[]): void {
    const member = this.#members.get(incarnation);
    for (const unit of units) if (member?.units.has(unit)) member.reading.add(unit);
    this.#noteServed();
  }

  /** Takes all its units from a process that is to go. */
  retire(incarnation: number): void {
    const member = this.#members.get(incarnation);
    if (member === undefined) return;
    member.eligible = false;
    this.#settle();
  }

  /** The process has ended, in whatever way. */
  left(incarnation: number): void {
    const member = this.#members.get(incarnation);
    if (member === undefined) return;
    this.#members.delete(incarnation);
    const orphans = [...member.units];
    for (const [number, move] of this.#moves) {
      // Its last word may have died with it: then the end of its socket has to do.
      if (move.from === incarnation) {
        orphans.push(...move.units);
        this.#moves.delete(number);
      } else this.#confirm(number, incarnation);
    }
    this.#bury(incarnation, orphans);
    this.#settle();
  }

  /** The last owner has finished, and told these siblings so. */
  released(incarnation: number, number: number, told: readonly number[]): void {
    const move = this.#moves.get(number);
    if (move === undefined || move.from !== incarnation) return;
    move.released = true;
    for (const sibling of told) {
      if (this.#members.has(sibling) && !move.early.has(sibling)) move.waitingFor.add(sibling);
    }
    this.#confirm(number, incarnation);
  }

  /** The process has delivered everything the last owner sent it. */
  handedOver(incarnation: number, number: number): void {
    this.#moves.get(number)?.early.add(incarnation);
    this.#confirm(number, incarnation);
  }

  unitsOf(incarnation: number): readonly UnitId[] {
    return [...(this.#members.get(incarnation)?.units ?? [])];
  }

  /** Whether the process reads nothing any more, and has handed over everything it did read. */
  hasReleased(incarnation: number): boolean {
    const isReleasing = [...this.#moves.values()].some(({ from, released }) => from === incarnation && !released);
    return this.unitsOf(incarnation).length === 0 && !isReleasing;
  }

  /** Milliseconds for which some unit has not been read; 0 when every unit is. */
  unservedFor(): number {
    return this.#unservedSince === null ? 0 : this.#options.now() - this.#unservedSince;
  }

  #bury(incarnation: number, units: readonly UnitId[]): void {
    const number = ++this.#lastMove;
    const survivors = [...this.#members.keys()];
    this.#moves.set(number, {
      from: null,
      units,
      waitingFor: new Set(survivors),
      early: new Set(),
      released: true,
    });
    for (const survivor of survivors) this.#options.tell(survivor, { kind: "gone", incarnation, units, move: number });
    if (survivors.length === 0) this.#finish(number);
  }

  #confirm(number: number, incarnation: number): void {
    const move = this.#moves.get(number);
    if (move === undefined) return;
    move.waitingFor.delete(incarnation);
    if (move.released && move.waitingFor.size === 0) this.#finish(number);
  }

  #finish(number: number): void {
    for (const unit of this.#moves.get(number)!.units) this.#free.add(unit);
    this.#moves.delete(number);
    this.#settle();
  }

  /** Gives away what is free; evens out what is not once nothing is on its way. */
  #settle(): void {
    const eligible = [...this.#members].filter(([, member]) => member.eligible);
    const target = assignUnits(new Map(eligible.map(([incarnation, { units }]) => [incarnation, [...units]])), [
      ...this.#free,
      ...this.#unitsOfRetiring(),
    ]);
    for (const [incarnation, units] of target) this.#takeOver(incarnation, units);
    if (this.#moves.size === 0 && target.size > 0) {
      for (const [incarnation, { units }] of this.#members) {
        const keeps = new Set(target.get(incarnation));
        this.#release(
          incarnation,
          [...units].filter((unit) => !keeps.has(unit)),
        );
      }
    }
    this.#noteServed();
  }

  #noteServed(): void {
    const isRead = ({ units, reading }: Member) => reading.size === units.size;
    const isServed =
      this.#free.size === 0 &&
      [...this.#moves.values()].every(({ units }) => units.length === 0) &&
      [...this.#members.values()].every(isRead);
    if (isServed) this.#unservedSince = null;
    else this.#unservedSince ??= this.#options.now();
  }

  #unitsOfRetiring(): UnitId[] {
    return [...this.#members.values()].flatMap(({ eligible, units }) => (eligible ? [] : [...units]));
  }

  #takeOver(incarnation: number, target: readonly UnitId[]): void {
    const units = target.filter((unit) => this.#free.delete(unit));
    if (units.length === 0) return;
    for (const unit of units) this.#members.get(incarnation)!.units.add(unit);
    this.#options.tell(incarnation, { kind: "take-over", units });
  }

  #release(incarnation: number, units: readonly UnitId[]): void {
    if (units.length === 0) return;
    const number = ++this.#lastMove;
    const waitingFor = new Set([incarnation]);
    this.#moves.set(number, { from: incarnation, units, waitingFor, early: new Set(), released: false });
    const member = this.#members.get(incarnation)!;
    for (const unit of units) {
      member.units.delete(unit);
      member.reading.delete(unit);
    }
    this.#options.tell(incarnation, { kind: "release", units, move: number });
  }
}
