import t from "tap";
import { type Chunk, ChunkCache, reachesBackFrom, reachesOnFrom } from "../../../src/worker/resume/chunk.ts";

function chunkOf(after: string, upTo: string, bytes = 1_000): Chunk {
  return { after, upTo, records: [], msgpack: true, state: null, bytes };
}

t.test("a piece holds what comes after its start, up to and including its end", async (t) => {
  const chunk = chunkOf("3-0", "7-0");
  const on = ["2-9", "3-0", "5-0", "6-9", "7-0"].filter((id) => reachesOnFrom(chunk, id));
  t.strictSame(on, ["3-0", "5-0", "6-9"]);
  const back = ["3-0", "3-1", "5-0", "7-0", "7-1"].filter((id) => reachesBackFrom(chunk, id));
  t.strictSame(back, ["3-1", "5-0", "7-0"]);
});

t.test("over the limit, what nobody asked for the longest goes first, whichever stream it is of", async (t) => {
  const cache = new ChunkCache(3_000);
  cache.add("a", chunkOf("1-0", "2-0"));
  cache.add("b", chunkOf("1-0", "2-0"));
  cache.add("a", chunkOf("2-0", "3-0"));
  const find = (key: string, id: string) => cache.find(key, (chunk) => reachesOnFrom(chunk, id))?.after;
  t.equal(find("a", "1-5"), "1-0");
  cache.add("a", chunkOf("3-0", "4-0"));
  t.equal(find("b", "1-5"), undefined);
  t.strictSame(cache.starts("a"), ["1-0", "2-0", "3-0"]);
  t.strictSame(cache.starts("b"), []);
  cache.add("b", chunkOf("5-0", "6-0", 3_001));
  t.equal(find("b", "5-5"), undefined, "too large to be kept");
  t.equal(find("a", "2-5"), "2-0", "and for that nothing else had to go");
});

t.test("a stream is forgotten as a whole, and makes room", async (t) => {
  const cache = new ChunkCache(2_000);
  cache.add("a", chunkOf("1-0", "2-0"));
  cache.add("b", chunkOf("1-0", "2-0"));
  cache.forgetStream("a");
  cache.forgetStream("unknown");
  cache.add("b", chunkOf("2-0", "3-0"));
  t.strictSame(cache.starts("a"), []);
  t.strictSame(cache.starts("b"), ["1-0", "2-0"]);
});
