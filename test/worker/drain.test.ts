import t from "tap";
import { drain } from "../../src/worker/drain.ts";

function makeConnections(count: number) {
  const sentAway: number[] = [];
  const connections = Array.from({ length: count }, () => ({
    sendAway: (retryMs: number) => {
      sentAway.push(retryMs);
    },
  }));
  return { connections, sentAway };
}

t.test("every connection is sent away once, to come back at a time of its own", async (t) => {
  const { connections, sentAway } = makeConnections(100);
  await drain(connections, { windowMs: 200, signal: new AbortController().signal });
  t.equal(sentAway.length, 100);
  t.ok(sentAway.every((ms) => ms >= 500 && ms <= 3_000));
  t.ok(new Set(sentAway).size > 10, "they do not all come back at once");
});

t.test("not all in one turn, as long as nothing cuts it short", async (t) => {
  const { connections, sentAway } = makeConnections(1_000);
  const abort = new AbortController();
  const drained = drain(connections, { windowMs: 600_000, signal: abort.signal });
  t.ok(sentAway.length > 0 && sentAway.length < 1_000, `${sentAway.length} at first`);
  abort.abort();
  await drained;
  t.equal(sentAway.length, 1_000);
});

t.test("a window of 0 sends everyone away at once", async (t) => {
  const { connections, sentAway } = makeConnections(1_000);
  const drained = drain(connections, { windowMs: 0, signal: new AbortController().signal });
  t.equal(sentAway.length, 1_000);
  await drained;
});
