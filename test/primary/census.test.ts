import t from "tap";
import { Census } from "../../src/primary/census.ts";
import type { WorkerStatistics } from "../../src/protocol/control.ts";

function statisticsOf(tenant: string): WorkerStatistics {
  const none = { byUser: [], staleCleaned: [] };
  return { sse: { byUser: [[tenant, "u1", 1, 1]], staleCleaned: [] }, websocket: none };
}

/** A census of these workers, and the requests each of them was sent. */
function openCensus(...workers: number[]) {
  const asked: [worker: number, request: number][] = [];
  const census = new Census(
    () => workers,
    (worker, message) => {
      if (message.kind === "collect") asked.push([worker, message.request]);
    },
  );
  return { census, asked, workers };
}

t.test("every worker is asked, and the answer is complete once all have answered", async (t) => {
  const { census, asked } = openCensus(1, 2);
  const taken = census.take();
  const request = asked[0]![1];
  t.strictSame(asked, [
    [1, request],
    [2, request],
  ]);
  census.collected(2, request, statisticsOf("b"));
  t.equal(await Promise.race([taken, turn()]), "waiting");
  census.collected(1, request, statisticsOf("a"));
  t.strictSame(await taken, [statisticsOf("b"), statisticsOf("a")]);
});

t.test("questions that come while one is under way share its answer, later ones ask anew", async (t) => {
  const { census, asked } = openCensus(1);
  const [first, second] = [census.take(), census.take()];
  t.equal(asked.length, 1);
  census.collected(1, asked[0]![1], statisticsOf("a"));
  t.strictSame(await first, await second);
  const third = census.take();
  t.equal(asked.length, 2);
  census.collected(1, asked[1]![1], statisticsOf("c"));
  t.strictSame(await third, [statisticsOf("c")]);
});

t.test("a worker that died is not waited for", async (t) => {
  const { census, asked } = openCensus(1, 2);
  const taken = census.take();
  census.collected(1, asked[0]![1], statisticsOf("a"));
  census.forget(2);
  t.strictSame(await taken, [statisticsOf("a")]);
});

t.test("answers that come twice, late, or unasked change nothing", async (t) => {
  const { census, asked } = openCensus(1, 2);
  const taken = census.take();
  const request = asked[0]![1];
  census.collected(1, request, statisticsOf("a"));
  census.collected(1, request, statisticsOf("again"));
  census.collected(3, request, statisticsOf("stranger"));
  census.collected(2, request - 1, statisticsOf("late"));
  t.equal(await Promise.race([taken, turn()]), "waiting");
  census.collected(2, request, statisticsOf("b"));
  t.strictSame(await taken, [statisticsOf("a"), statisticsOf("b")]);
});

t.test("a worker that does not answer in time is left out", async (t) => {
  const { census, asked } = openCensus(1, 2);
  const taken = census.take();
  census.collected(1, asked[0]![1], statisticsOf("a"));
  t.strictSame(await taken, [statisticsOf("a")]);
});

function turn(): Promise<"waiting"> {
  return new Promise((resolve) => setImmediate(() => resolve("waiting")));
}
