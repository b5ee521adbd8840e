import t from "tap";
import { type Block, SharedBlocks } from "../../../src/worker/catch-up/shared-blocks.ts";

function blockOf(text: string): Block {
  return { frames: Buffer.from(text), ends: [text.length], upTo: "5-0" };
}

const textOf = (block: Block | undefined) => block && Buffer.from(block.frames).toString();

t.test("a block is found by what it was made for, and is a copy", async (t) => {
  const blocks = new SharedBlocks(100_000);
  const block = blockOf("frames");
  blocks.add("acme/a", block);
  block.frames.fill(0);
  t.equal(textOf(blocks.get("acme/a")), "frames");
  t.equal(blocks.get("globex/a"), undefined);
});

t.test("over the limit, what nobody asked for the longest goes first", async (t) => {
  const blocks = new SharedBlocks(10_000);
  for (const key of ["a", "b", "c"]) blocks.add(key, blockOf(key.repeat(2_000)));
  t.ok(blocks.get("a"));
  blocks.add("d", blockOf("d".repeat(2_000)));
  t.strictSame(
    ["a", "b", "c", "d"].filter((key) => blocks.get(key)),
    ["a", "c", "d"],
  );
  for (let i = 0; i < 1_000; i++) blocks.add(`${i}`, blockOf("x"));
  t.equal(blocks.get("a"), undefined);
});

t.test("a block too large is not kept, nor is any where there is no room", async (t) => {
  const blocks = new SharedBlocks(10_000);
  blocks.add("a", blockOf("x".repeat(20_000)));
  t.equal(blocks.get("a"), undefined);
  const none = new SharedBlocks(0);
  none.add("a", blockOf("x"));
  t.equal(none.get("a"), undefined);
});
