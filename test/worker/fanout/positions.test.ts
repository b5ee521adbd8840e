import t from "tap";
import { cursorBefore, decodeCursor, topicTag } from "../../../src/protocol/cursor.ts";
import { Positions } from "../../../src/worker/fanout/positions.ts";
import { LAYOUT } from "./listener.ts";

t.test("a stream is unknown until somebody says where it stands, be it at its start", async (t) => {
  const positions = new Positions(LAYOUT);
  t.equal(positions.get("s:orders"), undefined);
  t.notOk(positions.isKnown(["s:orders"]));
  t.ok(positions.advance("s:orders", "0-0"));
  t.match(positions.get("s:orders"), { id: "0-0", epoch: 0 });
  t.ok(positions.isKnown(["s:orders"]));
  t.notOk(positions.isKnown(["s:orders", "s:system"]));
});

t.test("a stream only moves forward, by number and not by text", async (t) => {
  const positions = new Positions(LAYOUT);
  t.ok(positions.advance("s:orders", "9-0"));
  t.ok(positions.advance("s:orders", "10-0"));
  t.ok(positions.advance("s:orders", "10-2"));
  for (const id of ["10-2", "10-1", "9-99", "0-0"]) t.notOk(positions.advance("s:orders", id), id);
  t.equal(positions.get("s:orders")!.id, "10-2");
});

t.test("a position that is set stands wherever it was put, with its epoch kept from there on", async (t) => {
  const positions = new Positions(LAYOUT);
  positions.advance("s:orders", "10-0");
  positions.set("s:orders", { id: "2-0", epoch: 3 });
  t.match(positions.get("s:orders"), { id: "2-0", epoch: 3 });
  positions.advance("s:orders", "4-0");
  t.match(positions.get("s:orders"), { id: "4-0", epoch: 3 });
});

t.test("a stream that lost its owner stands where it stood, but is not known until the next one speaks", async (t) => {
  const positions = new Positions(LAYOUT);
  for (const key of ["s:orders", "s:system"]) positions.ownerAt(key, "5-0");
  positions.disown(["s:orders"]);
  t.equal(positions.get("s:orders")!.id, "5-0");
  t.notOk(positions.isKnown(["s:orders"]));
  t.notOk(positions.isKnown(["s:system", "s:orders"]));
  t.ok(positions.isKnown(["s:system"]), "the others still have theirs");
  t.ok(positions.advance("s:orders", "6-0"));
  t.notOk(positions.isKnown(["s:orders"]), "an event is no word of an owner");
  positions.ownerAt("s:orders", "6-0");
  t.ok(positions.isKnown(["s:orders"]));
});

t.test("an owner that starts behind what was delivered already moves nothing back", async (t) => {
  const positions = new Positions(LAYOUT);
  positions.ownerAt("s:orders", "9-0");
  positions.disown(["s:orders"]);
  positions.ownerAt("s:orders", "7-0");
  t.equal(positions.get("s:orders")!.id, "9-0");
  t.ok(positions.isKnown(["s:orders"]));
});

t.test("a stream may lose its owner before anybody has heard where it stands", async (t) => {
  const positions = new Positions(LAYOUT);
  positions.disown(["s:orders"]);
  t.equal(positions.get("s:orders"), undefined);
  t.notOk(positions.isKnown(["s:orders"]));
  positions.ownerAt("s:orders", "0-0");
  t.match(positions.get("s:orders"), { id: "0-0", epoch: 0 });
  t.ok(positions.isKnown(["s:orders"]));
});

t.test("a snapshot stays as it was, and puts unknown streams at their start without making them known", async (t) => {
  const positions = new Positions(LAYOUT);
  positions.advance("s:orders", "1-0");
  const snapshot = positions.snapshot(["s:orders", "s:system"]);
  positions.advance("s:orders", "2-0");
  t.equal(snapshot.get("s:orders")!.id, "1-0");
  t.equal(snapshot.get("s:system")!.id, "0-0");
  t.strictSame([...positions.all()], [["s:orders", "2-0"]]);
});

t.test("an announcement wakes everyone who waits, once", async (t) => {
  const positions = new Positions(LAYOUT);
  const waiting = [positions.changed(), positions.changed()];
  positions.advance("s:orders", "1-0");
  positions.announce();
  await Promise.all(waiting);
  const next = positions.changed();
  t.equal(await Promise.race([next, Promise.resolve("waiting")]), "waiting");
  positions.announce();
  await next;
});

t.test("a cursor tells of every topic and of one partition, as they stand when it is written", async (t) => {
  const positions = new Positions(LAYOUT);
  const write = positions.cursorWriter(["orders", "system"], 2);
  const namedIn = (cursor: string) => {
    const { partition, topics } = decodeCursor(cursor)!;
    const ids = [...topics].map(([tag, { shared, partitioned }]) => [tag, shared.id, partitioned.id]);
    return { partition, ids };
  };
  positions.advance("s:orders", "5-1");
  positions.advance("s:system:{2}", "7-0");
  positions.advance("s:system:{3}", "8-0");
  const [orders, system] = [topicTag("orders"), topicTag("system")];
  const before = [
    [orders, "5-1", "0-0"],
    [system, "0-0", "7-0"],
  ];
  t.strictSame(namedIn(write()), { partition: 2, ids: before });
  positions.advance("s:orders:{2}", "9-0");
  t.strictSame(namedIn(write()).ids[0], [orders, "5-1", "9-0"]);
});

t.test("the cursor of an event knows the place before it, in its own stream alone", async (t) => {
  const positions = new Positions(LAYOUT);
  const write = positions.cursorWriter(["orders"], 2);
  positions.advance("s:orders", "5-1");
  positions.advance("s:orders:{2}", "9-4");
  const { shared, partitioned } = cursorBefore(decodeCursor(write("s:orders:{2}"))!).topics.get(topicTag("orders"))!;
  t.equal(shared.id, "5-1");
  t.equal(partitioned.id, "9-3");
});
