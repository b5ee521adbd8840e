import t from "tap";
import { type Block, SharedBlocks } from "../../../src/worker/catch-up/shared-blocks.ts";

function blockOf(text: string, options: Partial<Block> = {}): Block {
  return { frames: Buffer.from(text), ends: [text.length], upTo: "5-0", isLast: false, ...options };
}

const textOf = (block: Block | undefined) => block && Buffer.from(block.frames).toString();

t.test("a block is found by what it was made for, and is a copy", async (t) => {
  const blocks = new SharedBlocks(100_000);
  const block = blockOf("frames");
  blocks.add("acme/a", block);
  block.frames.fill(0);
  t.equal(textOf(blocks.get("acme/a", "9-0")), "frames");
  t.equal(blocks.get("globex/a", "9-0"), undefined);
});

t.test("the last block of a stream is good as long as the stream ends there", async (t) => {
  const blocks = new SharedBlocks(100_000);
  blocks.add("a", blockOf("last", { isLast: true }));
  t.equal(textOf(blocks.get("a", "5-0")), "last");
  t.equal(blocks.get("a", "6-0"), undefined);
  blocks.add("a", blockOf("longer", { isLast: true, upTo: "6-0" }));
  t.equal(textOf(blocks.get("a", "6-0")), "longer");
});

t.test("over the limit, what nobody asked for the longest goes first", async (t) => {
  const blocks = new SharedBlocks(10_000);
  for (const key of ["a", "b", "c"]) blocks.add(key, blockOf(key.repeat(2_000)));
  t.ok(blocks.get("a", "9-0"));
  blocks.add("d", blockOf("d".repeat(2_000)));
  t.strictSame(
    ["a", "b", "c", "d"].filter((key) => blocks.get(key, "9-0")),
    ["a", "c", "d"],
  );
  for (let i = 0; i < 1_000; i++) blocks.add(`${i}`, blockOf("x"));
  t.equal(blocks.get("a", "9-0"), undefined);
});

t.test("a block too large is not kept, nor is any where there is no room", async (t) => {
  const blocks = new SharedBlocks(10_000);
  blocks.add("a", blockOf("x".repeat(20_000)));
  t.equal(blocks.get("a", "9-0"), undefined);
  const none = new SharedBlocks(0);
  none.add("a", blockOf("x"));
  t.equal(none.get("a", "9-0"), undefined);
});
