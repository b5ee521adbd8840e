import t from "tap";
import { RecentIds } from "../../src/browser/recent-ids.ts";

t.test("an id is new once", async (t) => {
  const ids = new RecentIds(3);
  t.same(
    ["a", "b", "a", "b", "c"].map((id) => ids.add(id)),
    [true, true, false, false, true],
  );
});

t.test("only the last ids are remembered", async (t) => {
  const ids = new RecentIds(2);
  for (const id of ["a", "b", "c"]) ids.add(id);
  t.equal(ids.add("c"), false);
  t.equal(ids.add("b"), false);
  t.equal(ids.add("a"), true);
});
