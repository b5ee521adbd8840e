import t from "tap";
import { SseAudience } from "../../../src/worker/edge/sse-audience.ts";
import type { SseConnection } from "../../../src/worker/edge/sse-connection.ts";

/** Keeps what it is sent; leaves when it has had so many bytes. */
function memberOf(audience: SseAudience, leavesAt = Number.POSITIVE_INFINITY) {
  const sent: [text: string, cursor: string][] = [];
  let bytes = 0;
  const member = {
    send(frame: Uint8Array, cursor: string) {
      if (bytes > leavesAt) {
        audience.flush();
        audience.remove(member);
        sent.push(["left", cursor]);
        return;
      }
      bytes += frame.length;
      sent.push([Buffer.from(frame).toString(), cursor]);
    },
  } as unknown as SseConnection;
  audience.add(member);
  return sent;
}

t.test("what comes up in one turn goes out in one write, with the cursor of its first frame", async (t) => {
  const audience = new SseAudience();
  const sent = memberOf(audience);
  const frame = Buffer.from("a");
  audience.write(frame, "1");
  frame.write("b");
  audience.write(frame, "2");
  t.strictSame(sent, []);
  audience.flush();
  audience.flush();
  audience.write(frame, "3");
  audience.flush();
  t.strictSame(sent, [
    ["ab", "1"],
    ["b", "3"],
  ]);
});

t.test("of much that comes up at once, a slow member is sent only what it has room for", async (t) => {
  const audience = new SseAudience();
  const [fast, slow] = [memberOf(audience), memberOf(audience, 50_000)];
  const text = "x".repeat(20_000);
  for (let i = 1; i <= 10; i++) audience.write(Buffer.from(text), `${i}`);
  audience.flush();
  t.equal(fast.map(([sent]) => sent).join("").length, 200_000);
  t.ok(fast.every(([sent]) => sent.length <= 64 * 1024));
  t.strictSame(
    slow.map(([sent, cursor]) => [sent.slice(0, 4), cursor]),
    [
      ["xxxx", "1"],
      ["left", "4"],
    ],
    "it leaves at the first frame it did not get, once",
  );
});
