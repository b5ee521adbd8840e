import t from "tap";
import { type Item, type Owed, type PublishedEvent, reconcile } from "../../../bench/prove/support/reconcile.ts";

const TENANT = 3;
const FAULTLESS = { lost: 0, repeated: 0, outOfOrder: 0, foreign: 0 };

const event = (n: number, stream = 0, tenant = TENANT): Item => ({ kind: "event", tenant, stream, n });
const events = (...numbers: number[]) => numbers.map((n) => event(n));
const gap = (reason = "reset", topic = "orders"): Item => ({ kind: "gap", topic, reason });

function published(count: number, but: { uncertain?: number[]; gone?: number[] } = {}): PublishedEvent[] {
  return Array.from({ length: count }, (_, n) => ({
    id: but.uncertain?.includes(n) ? null : `1000-${n}`,
    isGone: but.gone?.includes(n) ?? false,
  }));
}

/** Two streams of topic orders and one of another; only the first has events. */
function owed(list: readonly PublishedEvent[], mayMiss: Owed["mayMiss"] = () => true): Owed {
  const streams = [
    { topic: "orders", events: list },
    { topic: "orders", events: [] },
    { topic: "system", events: [] },
  ];
  return { tenant: TENANT, streams, mayMiss };
}

t.test("a client that got everything once and in order has no fault", async (t) => {
  const verdict = reconcile(events(0, 1, 2, 3), owed(published(4)));
  t.match(verdict, { ...FAULTLESS, deliveries: 4, gaps: 0, explained: 0, examples: [] });
});

t.test("what is missing without a gap is lost, at the start, in the middle and at the end", async (t) => {
  t.match(reconcile(events(2, 3), owed(published(4))), { ...FAULTLESS, lost: 2 });
  t.match(reconcile(events(0, 3), owed(published(4))), { ...FAULTLESS, lost: 2 });
  t.match(reconcile(events(0, 1), owed(published(4))), { ...FAULTLESS, lost: 2 });
  t.match(reconcile([], owed(published(4))), { ...FAULTLESS, lost: 4 });
});

t.test("a loss is told with its place and its entry id", async (t) => {
  const { examples } = reconcile(events(0, 3), owed(published(4)));
  t.match(examples, [/^2 did not come between events 0 and 3 of stream 0 \(orders\), without a gap, .* 1000-1$/]);
});

t.test("an event that comes again is a repeat, at once or later", async (t) => {
  t.match(reconcile(events(0, 1, 1, 2), owed(published(3))), { ...FAULTLESS, repeated: 1 });
  t.match(reconcile(events(0, 1, 2, 0, 1), owed(published(3))), { ...FAULTLESS, repeated: 2 });
});

t.test("an event that comes after a later one is out of order, and not lost", async (t) => {
  t.match(reconcile(events(0, 2, 1, 3), owed(published(4))), { ...FAULTLESS, outOfOrder: 1 });
});

t.test("order is asked of each stream alone", async (t) => {
  const streams = [
    { topic: "orders", events: published(2) },
    { topic: "orders", events: published(2) },
  ];
  const items = [event(0), event(0, 1), event(1, 1), event(1)];
  t.match(reconcile(items, { tenant: TENANT, streams, mayMiss: () => false }), { ...FAULTLESS, deliveries: 4 });
});

t.test("an event of which nobody knows whether it was added may come once, or not at all", async (t) => {
  const list = published(4, { uncertain: [1, 2] });
  t.match(reconcile(events(0, 3), owed(list)), FAULTLESS);
  t.match(reconcile(events(0, 2, 3), owed(list)), FAULTLESS);
  t.match(reconcile(events(0, 1, 1, 3), owed(list)), { ...FAULTLESS, repeated: 1 });
  t.match(reconcile(events(0, 2, 1, 3), owed(list)), { ...FAULTLESS, outOfOrder: 1 });
});

t.test("a gap between the neighbours explains what Redis has no more", async (t) => {
  const list = published(5, { gone: [1, 2, 3] });
  t.match(reconcile([event(0), gap(), event(4)], owed(list)), { ...FAULTLESS, gaps: 1, explained: 3 });
  t.match(reconcile([event(0), gap("trimmed"), event(4)], owed(list)), { ...FAULTLESS, gaps: 1, explained: 3 });
});

t.test("a gap does not explain what Redis still has", async (t) => {
  const verdict = reconcile([event(0), gap(), event(4)], owed(published(5, { gone: [1, 2] })));
  t.match(verdict, { ...FAULTLESS, explained: 2, lost: 1 });
});

t.test("a gap before or after the neighbours, or of another topic, explains nothing", async (t) => {
  const list = published(5, { gone: [2] });
  t.match(reconcile([event(0), gap(), ...events(1, 3, 4)], owed(list)), { ...FAULTLESS, lost: 1 });
  t.match(reconcile([...events(0, 1, 3), gap(), event(4)], owed(list)), { ...FAULTLESS, lost: 1 });
  const ofAnother = reconcile([...events(0, 1), gap("reset", "system"), ...events(3, 4)], owed(list));
  t.match(ofAnother, { ...FAULTLESS, lost: 1 });
});

t.test("after a reset or trimmed gap a stream may be delivered again, once", async (t) => {
  const list = published(4);
  for (const reason of ["reset", "trimmed"]) {
    t.match(reconcile([...events(0, 1, 2), gap(reason), ...events(0, 1, 2, 3)], owed(list)), FAULTLESS);
    const twice = reconcile([...events(0, 1, 2), gap(reason), ...events(0, 1, 0, 1, 2, 3)], owed(list));
    t.match(twice, { ...FAULTLESS, repeated: 2 });
  }
  const limit = reconcile([...events(0, 1, 2), gap("limit"), ...events(0, 1, 2, 3)], owed(list));
  t.match(limit, { ...FAULTLESS, repeated: 3 });
});

t.test("a gap of one topic does not excuse a repeat in another", async (t) => {
  const verdict = reconcile([...events(0, 1), gap("reset", "system"), ...events(1, 2)], owed(published(3)));
  t.match(verdict, { ...FAULTLESS, repeated: 1 });
});

t.test("after a rollback, what was got before it is not missed, and what was not is explained", async (t) => {
  const list = published(8, { gone: [3, 4, 5] });
  const got = reconcile([...events(0, 1, 2, 3, 4, 5), gap(), ...events(0, 1, 2, 6, 7)], owed(list));
  t.match(got, { ...FAULTLESS, explained: 0 });
  const missed = reconcile([...events(0, 1, 2, 3), gap(), ...events(0, 1, 2, 6, 7)], owed(list));
  t.match(missed, { ...FAULTLESS, explained: 2 });
});

t.test("a gap without a cause is a fault, and excuses nothing", async (t) => {
  const mayMiss = (topic: string, reason: string) => topic === "orders" && reason === "trimmed";
  const list = published(4, { gone: [1] });
  const verdict = reconcile([event(0), gap("reset"), ...events(2, 3)], owed(list, mayMiss));
  t.match(verdict, { ...FAULTLESS, gaps: 0, explained: 0, lost: 1, foreign: 1 });
});

t.test("another tenant's events, and events that were not to be had there, are faults", async (t) => {
  t.match(reconcile([...events(0, 1), event(0, 0, TENANT + 1)], owed(published(2))), { ...FAULTLESS, foreign: 1 });
  t.match(reconcile(events(0, 1, 2), owed(published(2))), { ...FAULTLESS, foreign: 1 });
  const streams = [{ topic: "orders", events: published(1) }, null];
  const elsewhere = reconcile([event(0), event(0, 1)], { tenant: TENANT, streams, mayMiss: () => true });
  t.match(elsewhere, { ...FAULTLESS, foreign: 1 });
});
