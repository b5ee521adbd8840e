import t from "tap";
import { Progress } from "../../../src/worker/fanout/progress.ts";

t.test("what moved is told once, and where everything stands as often as one asks", async (t) => {
  const progress = new Progress();
  t.strictSame(progress.all(), []);
  progress.note([
    ["s:orders", "1-0"],
    ["s:system", "0-0", 2],
  ]);
  t.strictSame(progress.changed(), [
    ["s:orders", "1-0"],
    ["s:system", "0-0", 2],
  ]);
  t.strictSame(progress.changed(), []);
  progress.note([["s:system", "5-0", 2]]);
  t.strictSame(progress.changed(), [["s:system", "5-0", 2]]);
  t.strictSame(progress.all(), [
    ["s:orders", "1-0"],
    ["s:system", "5-0", 2],
  ]);
});

t.test("a stream that starts anew moves back", async (t) => {
  const progress = new Progress();
  progress.note([["s:orders", "7-0"]]);
  progress.changed();
  progress.note([["s:orders", "0-0", 1]]);
  t.strictSame(progress.changed(), [["s:orders", "0-0", 1]]);
});

t.test("a stream that was given away is told of no more, and anew when it comes back", async (t) => {
  const progress = new Progress();
  progress.note([
    ["s:orders", "1-0"],
    ["s:system", "2-0"],
  ]);
  progress.changed();
  progress.remove(["s:orders"]);
  t.strictSame(progress.all(), [["s:system", "2-0"]]);
  t.strictSame(progress.changed(), []);
  progress.note([["s:orders", "1-0"]]);
  t.strictSame(progress.changed(), [["s:orders", "1-0"]], "who reads it has to say so, even if it has not moved");
});
