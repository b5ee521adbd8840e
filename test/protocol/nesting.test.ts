import fc from "fast-check";
import t from "tap";
import { nestsDeeperThan } from "../../src/protocol/nesting.ts";

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

t.test("JSON is as deep as what it stands for", async (t) => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "large", withCrossShrink: true },
      fc.string({ unit: fc.constantFrom('"', "\\", "[", "{", "]", "}", "a") }),
      fc.array(tie("tree"), { maxLength: 2 }),
      fc.dictionary(fc.string({ unit: fc.constantFrom('"', "[", "}", "\\") }), tie("tree"), { maxKeys: 2 }),
    ),
  }));
  fc.assert(
    fc.property(tree, fc.nat(8), (value, limit) => {
      const indented = JSON.stringify(value, null, 3);
      return nestsDeeperThan(indented, limit) === depthOf(value) > limit;
    }),
    { numRuns: 2_000 },
  );
  t.pass("for everything tried");
});

t.test("the limit itself is not too deep, one level more is", async (t) => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  t.notOk(nestsDeeperThan(nested(512), 512));
  t.ok(nestsDeeperThan(nested(513), 512));
  t.ok(nestsDeeperThan("[".repeat(8 << 20), 512), "also when nothing is closed");
});
