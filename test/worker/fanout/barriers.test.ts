import t from "tap";
import { Barriers } from "../../../src/worker/fanout/barriers.ts";
import { turns } from "../../support/turns.ts";

/** Notes which barriers have been passed. */
function openBarriers() {
  const barriers = new Barriers();
  const passed: number[] = [];
  const raise = (...siblings: number[]) => {
    const raised = barriers.raise(siblings);
    void raised.passed.then(() => passed.push(raised.number));
    return raised.number;
  };
  return { barriers, passed, raise };
}

t.test("a barrier is passed once every sibling has answered", async (t) => {
  const { barriers, passed, raise } = openBarriers();
  const number = raise(1, 2);
  barriers.pass(number, 1);
  barriers.pass(number, 1);
  await turns(1);
  t.strictSame(passed, [], "the same answer twice is not two answers");
  barriers.pass(number, 2);
  await turns(1);
  t.strictSame(passed, [number]);
});

t.test("a worker alone passes at once", async (t) => {
  const { passed, raise } = openBarriers();
  const number = raise();
  await turns(1);
  t.strictSame(passed, [number]);
});

t.test("each answer is to one question", async (t) => {
  const { barriers, passed, raise } = openBarriers();
  const [first, second] = [raise(1), raise(1)];
  t.not(first, second);
  barriers.pass(second, 1);
  await turns(1);
  t.strictSame(passed, [second]);
  barriers.pass(first, 1);
  await turns(1);
  t.strictSame(passed, [second, first]);
});

t.test("one that is gone answers everything it was asked, and nothing it was not", async (t) => {
  const { barriers, passed, raise } = openBarriers();
  const [alone, both, another] = [raise(1), raise(1, 2), raise(2)];
  barriers.passAll(1);
  await turns(1);
  t.strictSame(passed, [alone]);
  barriers.passAll(2);
  await turns(1);
  t.strictSame(passed, [alone, both, another]);
});

t.test("answers nobody asked for change nothing", async (t) => {
  const { barriers, passed, raise } = openBarriers();
  const number = raise(1);
  barriers.pass(number + 1, 1);
  barriers.pass(number, 2);
  barriers.passAll(2);
  await turns(1);
  t.strictSame(passed, []);
  barriers.pass(number, 1);
  barriers.pass(number, 1);
  await turns(1);
  t.strictSame(passed, [number]);
});
