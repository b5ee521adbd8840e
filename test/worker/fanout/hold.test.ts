import t from "tap";
import { Hold, type LiveEvent } from "../../../src/worker/fanout/hold.ts";
import { recordOf, SHARED_ORDERS } from "./listener.ts";

const MAX_HELD_BYTES = 256 * 1024;

function eventOf(id: string, bytes = 100): LiveEvent {
  const record = { ...recordOf({ id, tenant: "acme" }), jsonTail: new Uint8Array(bytes) };
  return { topic: "orders", streamKey: SHARED_ORDERS, record };
}

function idsOf(events: readonly LiveEvent[] | null): string[] | null {
  return events?.map(({ record }) => record.id) ?? null;
}

t.test("what is kept is taken once, in order", async (t) => {
  const hold = new Hold();
  t.strictSame(hold.take(), []);
  for (const id of ["1-0", "2-0"]) hold.keep(eventOf(id));
  t.strictSame(idsOf(hold.take()), ["1-0", "2-0"]);
  hold.keep(eventOf("3-0"));
  t.strictSame(idsOf(hold.take()), ["3-0"]);
  t.strictSame(hold.take(), []);
});

t.test("too much is forgotten as a whole, with everything behind it until it is taken", async (t) => {
  const hold = new Hold();
  for (const id of ["1-0", "2-0", "3-0"]) hold.keep(eventOf(id, MAX_HELD_BYTES / 2));
  hold.keep(eventOf("4-0"));
  t.equal(hold.take(), null);
  hold.keep(eventOf("5-0"));
  t.strictSame(idsOf(hold.take()), ["5-0"]);
});

t.test("exactly as much as fits is kept, and what was taken counts no more", async (t) => {
  const hold = new Hold();
  for (const round of [1, 2]) {
    hold.keep(eventOf(`${round}-1`, MAX_HELD_BYTES - 1));
    hold.keep(eventOf(`${round}-2`, 1));
    t.strictSame(idsOf(hold.take()), [`${round}-1`, `${round}-2`]);
  }
});
