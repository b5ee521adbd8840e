import t from "tap";
import { type Beating, Heartbeats } from "../../../src/worker/fanout/heartbeats.ts";

class Counter implements Beating {
  readonly heartbeatSeconds: number;
  beats = 0;

  constructor(heartbeatSeconds: number) {
    this.heartbeatSeconds = heartbeatSeconds;
  }

  beat(): void {
    this.beats++;
  }
}

t.test("the first beat comes one interval after the start, then one every interval", async (t) => {
  const heartbeats = new Heartbeats(1_000);
  const counter = new Counter(30);
  heartbeats.add(counter);
  const beatAt: number[] = [];
  for (let second = 1_001; second <= 1_095; second++) {
    const before = counter.beats;
    heartbeats.advance(second);
    if (counter.beats > before) beatAt.push(second);
  }
  t.strictSame(beatAt, [1_030, 1_060, 1_090]);
  t.equal(counter.beats, 3);
});

t.test("each has its own interval and its own second", async (t) => {
  const heartbeats = new Heartbeats(0);
  const [first, slower, later] = [new Counter(30), new Counter(45), new Counter(30)];
  heartbeats.add(first);
  heartbeats.add(slower);
  heartbeats.advance(10);
  heartbeats.add(later);
  heartbeats.advance(39);
  t.strictSame([first.beats, slower.beats, later.beats], [1, 0, 0]);
  heartbeats.advance(45);
  t.strictSame([first.beats, slower.beats, later.beats], [1, 1, 1]);
});

t.test("seconds that were skipped are made up for", async (t) => {
  const heartbeats = new Heartbeats(0);
  const counters = [new Counter(30), new Counter(30)];
  heartbeats.add(counters[0]!);
  heartbeats.advance(2);
  heartbeats.add(counters[1]!);
  heartbeats.advance(28);
  heartbeats.advance(33);
  t.strictSame(
    counters.map(({ beats }) => beats),
    [1, 1],
  );
});

t.test("a clock that jumps far ahead causes one round, not many", async (t) => {
  const heartbeats = new Heartbeats(0);
  const counters = [30, 45, 60].map((seconds) => new Counter(seconds));
  for (const counter of counters) heartbeats.add(counter);
  heartbeats.advance(1_000_000);
  t.strictSame(
    counters.map(({ beats }) => beats),
    [1, 1, 1],
  );
});

t.test("a clock that is set back causes none", async (t) => {
  const heartbeats = new Heartbeats(1_000);
  const counter = new Counter(30);
  heartbeats.add(counter);
  heartbeats.advance(500);
  t.equal(counter.beats, 0);
  heartbeats.advance(530);
  t.equal(counter.beats, 1);
});

t.test("who is removed beats no more, even when removed in the midst of a round", async (t) => {
  const heartbeats = new Heartbeats(0);
  const removed = new Counter(30);
  const removes: Beating = { heartbeatSeconds: 30, beat: () => heartbeats.remove(removed) };
  heartbeats.add(removes);
  heartbeats.add(removed);
  heartbeats.advance(30);
  heartbeats.advance(60);
  t.equal(removed.beats, 0);
  heartbeats.remove(new Counter(30));
});
