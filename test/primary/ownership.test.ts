import fc from "fast-check";
import t from "tap";
import { Ownership } from "../../src/primary/ownership.ts";
import type { ToWorker } from "../../src/protocol/control.ts";
import { allUnits, type UnitId } from "../../src/protocol/stream.ts";
import { SimulatedWorkers, type Step, type StepName } from "./simulated-workers.ts";

const UNITS = allUnits({ prefix: "s:", topics: ["orders", "system"], partitions: 5 });
const [P0, P1, P2, P3] = ["partition:0", "partition:1", "partition:2", "partition:3"] as const;

/** Often those of which there is much to do. */
const WEIGHTS: Record<StepName, number> = {
  start: 3,
  join: 4,
  retire: 1,
  kill: 2,
  exit: 3,
  obey: 12,
  finish: 4,
  read: 10,
  publish: 2,
  hear: 10,
};
const anyStep: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom(...(Object.keys(WEIGHTS) as StepName[]).flatMap((name) => Array(WEIGHTS[name]).fill(name))),
  pick: fc.nat(999),
});

t.test(
  "whoever comes, goes and dies: a unit never has two readers, nor a reader before all have what the last one sent",
  async () => {
    const property = fc.property(fc.array(anyStep, { maxLength: 150, size: "max" }), (steps) => {
      const workers = new SimulatedWorkers(UNITS);
      for (const step of steps) workers.take(step);
      workers.settle();
      workers.assertSettled();
    });
    fc.assert(property, { numRuns: 2_000 });
  },
);

type Told = [incarnation: number, message: ToWorker];
type ToldOf<K extends ToWorker["kind"]> = Extract<ToWorker, { kind: K }>;

/** The first of these messages that is of this kind. */
function firstOf<K extends ToWorker["kind"]>(told: readonly Told[], kind: K): ToldOf<K> {
  return told.map(([, message]) => message).find((message): message is ToldOf<K> => message.kind === kind)!;
}

/** Who was told what, in few words. */
function kindsOf(told: readonly Told[]): [incarnation: number, kind: ToWorker["kind"]][] {
  return told.map(([incarnation, { kind }]) => [incarnation, kind]);
}

class Example {
  readonly ownership: Ownership;
  now = 0;
  #told: Told[] = [];

  constructor(...units: UnitId[]) {
    const tell = (incarnation: number, message: ToWorker) => this.#told.push([incarnation, message]);
    this.ownership = new Ownership({ units, tell, now: () => this.now });
  }

  /** What was told since the last time. Who was told to take units over reads them from then on. */
  told(): Told[] {
    const told = this.#told;
    this.#told = [];
    for (const [incarnation, message] of told) {
      if (message.kind === "take-over") this.ownership.reading(incarnation, message.units);
    }
    return told;
  }

  /** Workers that share the units out among themselves. */
  join(...incarnations: number[]): this {
    for (const incarnation of incarnations) this.ownership.reachable(incarnation);
    for (const incarnation of incarnations) this.ownership.joined(incarnation);
    for (let told = this.told(); told.length > 0; told = this.told()) {
      for (const [incarnation, message] of told) {
        if (message.kind === "release") this.ownership.released(incarnation, message.move, []);
      }
    }
    return this;
  }
}

t.test("the first worker reads everything, and the next is handed half of it", async (t) => {
  const example = new Example(P0, P1, P2, P3);
  const { ownership } = example;
  ownership.reachable(1);
  ownership.reachable(2);
  t.strictSame(example.told(), [], "who has not joined is given nothing");
  ownership.joined(1);
  t.strictSame(example.told(), [[1, { kind: "take-over", units: [P0, P1, P2, P3] }]]);
  ownership.joined(2);
  t.strictSame(example.told(), [[1, { kind: "release", units: [P2, P3], move: 1 }]]);
  t.notOk(ownership.hasReleased(1));
  ownership.released(1, 1, [2]);
  t.strictSame(example.told(), [], "its sibling has yet to hear its last word");
  ownership.handedOver(2, 1);
  t.strictSame(example.told(), [[2, { kind: "take-over", units: [P2, P3] }]]);
  t.strictSame(ownership.unitsOf(1), [P0, P1]);
});

t.test("the last word of an owner may be confirmed before the owner says whom it told", async (t) => {
  const example = new Example(P0, P1).join(1);
  const { ownership } = example;
  for (const incarnation of [2, 3]) ownership.reachable(incarnation);
  ownership.joined(2);
  const { move } = firstOf(example.told(), "release");
  ownership.handedOver(3, move);
  ownership.handedOver(2, move);
  t.strictSame(example.told(), [], "the owner may still be reading");
  ownership.released(1, move, [2, 3]);
  t.strictSame(example.told(), [[2, { kind: "take-over", units: [P1] }]]);
});

t.test("a death is told to all that live, and nobody reads on before each has confirmed", async (t) => {
  const example = new Example(P0, P1, P2).join(1, 2, 3);
  const { ownership } = example;
  ownership.reachable(4);
  ownership.left(2);
  const told = example.told();
  const gone = firstOf(told, "gone");
  t.match(gone, { incarnation: 2, units: [P1] });
  t.strictSame(
    told,
    [1, 3, 4].map((incarnation) => [incarnation, gone]),
  );
  for (const survivor of [3, 4, 4]) ownership.handedOver(survivor, gone.move);
  t.strictSame(example.told(), []);
  ownership.handedOver(1, gone.move);
  t.strictSame(example.told(), [[1, { kind: "take-over", units: [P1] }]]);
});

t.test("one that dies while it is waited for is not waited for any more", async (t) => {
  const example = new Example(P0, P1, P2).join(1, 2, 3);
  const { ownership } = example;
  ownership.left(2);
  ownership.handedOver(3, firstOf(example.told(), "gone").move);
  ownership.left(1);
  const told = example.told();
  t.strictSame(firstOf(told, "take-over").units, [P1]);
  ownership.handedOver(3, firstOf(told, "gone").move);
  t.strictSame(ownership.unitsOf(3), [P2, P1, P0]);
});

t.test("an owner that dies while it releases leaves the units to be buried with it", async (t) => {
  const example = new Example(P0, P1).join(1);
  const { ownership } = example;
  ownership.reachable(2);
  ownership.joined(2);
  const release = firstOf(example.told(), "release");
  ownership.left(1);
  const told = example.told();
  const gone = firstOf(told, "gone");
  t.strictSame(kindsOf(told), [[2, "gone"]]);
  t.strictSame([...gone.units].sort(), [P0, P1]);
  ownership.released(1, release.move, []);
  ownership.handedOver(2, release.move);
  t.strictSame(example.told(), [], "nothing that was said of the move before counts any more");
  ownership.handedOver(2, gone.move);
  t.strictSame([...ownership.unitsOf(2)].sort(), [P0, P1]);
});

t.test("an owner that dies after it released, its last word perhaps with it, leaves nothing unread", async (t) => {
  const example = new Example(P0, P1).join(1);
  const { ownership } = example;
  ownership.reachable(2);
  ownership.joined(2);
  ownership.released(1, firstOf(example.told(), "release").move, [2]);
  ownership.left(1);
  ownership.handedOver(2, firstOf(example.told(), "gone").move);
  t.strictSame([...ownership.unitsOf(2)].sort(), [P0, P1]);
});

t.test("when the last worker dies, its units wait for the next to join", async (t) => {
  const example = new Example(P0, P1).join(1);
  const { ownership } = example;
  ownership.left(1);
  t.strictSame(example.told(), []);
  example.now = 700;
  t.equal(ownership.unservedFor(), 700);
  ownership.reachable(2);
  ownership.joined(2);
  t.strictSame(example.told(), [[2, { kind: "take-over", units: [P0, P1] }]]);
});

t.test("who is to go gives everything to the others, and only once there are any", async (t) => {
  const example = new Example(P0, P1, P2, P3).join(1);
  const { ownership } = example;
  ownership.retire(1);
  t.strictSame(example.told(), [], "rather it than nobody");
  t.notOk(ownership.hasReleased(1));
  ownership.reachable(2);
  ownership.joined(2);
  const release = firstOf(example.told(), "release");
  t.strictSame(release.units, [P0, P1, P2, P3]);
  t.strictSame(ownership.unitsOf(1), []);
  t.notOk(ownership.hasReleased(1), "it still finishes");
  ownership.released(1, release.move, []);
  t.ok(ownership.hasReleased(1));
  t.strictSame(example.told(), [[2, { kind: "take-over", units: [P0, P1, P2, P3] }]]);
});

t.test("while units are on their way nothing else moves, as they may be all it takes", async (t) => {
  const example = new Example(P0, P1, P2, P3).join(1, 2);
  const { ownership } = example;
  const kept = ownership.unitsOf(1);
  ownership.left(2);
  const { move } = firstOf(example.told(), "gone");
  ownership.reachable(3);
  ownership.joined(3);
  t.strictSame(example.told(), []);
  ownership.handedOver(1, move);
  t.strictSame(kindsOf(example.told()), [[3, "take-over"]]);
  t.strictSame(ownership.unitsOf(1), kept);
});

t.test("the units of one that is to go are enough for one that came, whatever the others have", async (t) => {
  const example = new Example(P0, P1, P2, P3).join(1, 2);
  const { ownership } = example;
  ownership.reachable(9);
  ownership.left(9);
  const { move } = firstOf(example.told(), "gone");
  ownership.reachable(3);
  ownership.joined(3);
  ownership.retire(1);
  for (const survivor of [1, 2]) ownership.handedOver(survivor, move);
  t.strictSame(kindsOf(example.told()), [[1, "release"]]);
});

t.test(
  "what is said of moves that are over, by those that are not asked, or by strangers changes nothing",
  async (t) => {
    const example = new Example(P0, P1).join(1, 2, 3);
    const { ownership } = example;
    const owned = () => [1, 2, 3, 9].map((incarnation) => ownership.unitsOf(incarnation));
    const before = owned();
    for (const move of [0, 1, 2, 99]) {
      ownership.handedOver(3, move);
      ownership.released(2, move, [1, 3]);
    }
    for (const stranger of [9, -1]) {
      ownership.joined(stranger);
      ownership.retire(stranger);
      ownership.left(stranger);
    }
    t.strictSame(example.told(), []);
    t.strictSame(owned(), before);
    ownership.retire(1);
    ownership.released(2, firstOf(example.told(), "release").move, []);
    t.notOk(ownership.hasReleased(1), "a move is released by its owner alone");
  },
);

t.test("how long a unit has been without an owner is counted from when the first of them lost its own", async (t) => {
  const example = new Example(P0, P1, P2);
  const { ownership } = example;
  example.now = 300;
  t.equal(ownership.unservedFor(), 300, "before anybody has joined, too");
  example.join(1, 2, 3);
  example.now = 1_000;
  t.equal(ownership.unservedFor(), 0);
  ownership.left(1);
  example.now = 1_400;
  ownership.left(2);
  example.now = 1_500;
  t.equal(ownership.unservedFor(), 500);
  for (const [incarnation, message] of example.told()) {
    if (message.kind === "gone") ownership.handedOver(incarnation, message.move);
  }
  t.equal(ownership.unservedFor(), 500, "who has an owner is not yet read");
  example.told();
  t.equal(ownership.unservedFor(), 0);
});

t.test("the death of one that read nothing leaves no unit without an owner", async (t) => {
  const example = new Example(P0).join(1, 2);
  const { ownership } = example;
  example.now = 50;
  ownership.left(2);
  example.now = 90;
  t.equal(ownership.unservedFor(), 0);
  t.strictSame(kindsOf(example.told()), [[1, "gone"]], "but whoever lives must hear of it");
});
