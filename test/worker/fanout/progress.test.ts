import t from "tap";
import { Positions } from "../../../src/worker/fanout/positions.ts";
import { Progress } from "../../../src/worker/fanout/progress.ts";
import { LAYOUT } from "./listener.ts";

t.test("only the worker's own streams are told of, as soon as they are known", async (t) => {
  const positions = new Positions(LAYOUT);
  const progress = new Progress(positions);
  progress.add(["s:orders", "s:system"]);
  t.strictSame(progress.all(), []);
  positions.advance("s:orders", "1-0");
  positions.advance("s:notifications", "2-0");
  t.strictSame(progress.all(), [["s:orders", "1-0"]]);
});

t.test("what moved is told once", async (t) => {
  const positions = new Positions(LAYOUT);
  const progress = new Progress(positions);
  progress.add(["s:orders", "s:system"]);
  positions.advance("s:orders", "1-0");
  positions.advance("s:system", "0-0");
  t.strictSame(progress.changed(), [
    ["s:orders", "1-0"],
    ["s:system", "0-0"],
  ]);
  t.strictSame(progress.changed(), []);
  positions.advance("s:system", "5-0");
  t.strictSame(progress.changed(), [["s:system", "5-0"]]);
  t.strictSame(progress.all(), [
    ["s:orders", "1-0"],
    ["s:system", "5-0"],
  ]);
});

t.test("a stream that was given away is told of no more, and from its start when it comes back", async (t) => {
  const positions = new Positions(LAYOUT);
  const progress = new Progress(positions);
  progress.add(["s:orders", "s:system"]);
  positions.advance("s:orders", "1-0");
  positions.advance("s:system", "2-0");
  progress.changed();
  progress.remove(["s:orders"]);
  positions.advance("s:orders", "3-0");
  t.strictSame(progress.all(), [["s:system", "2-0"]]);
  t.strictSame(progress.changed(), []);
  progress.remove(["s:system", "s:orders"]);
  progress.add(["s:orders", "s:system"]);
  t.strictSame(
    progress.changed(),
    [
      ["s:orders", "3-0"],
      ["s:system", "2-0"],
    ],
    "who reads it has to say so, even if it has not moved meanwhile",
  );
});
