import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { type SseMessage, SseParser } from "../../src/browser/sse-parser.ts";
import { SSE_EVENT_END, sseEvent, sseEventHead, sseRetry } from "../../src/protocol/sse.ts";
import { hasControlCharacter } from "../../src/protocol/text.ts";
import { anyText } from "./arbitraries.ts";

function parse(text: string): SseMessage[] {
  const messages: SseMessage[] = [];
  new SseParser((message) => messages.push(message)).push(new TextEncoder().encode(text));
  return messages;
}

t.test("an event is its name, its id if it has one, and its data on one line", async (t) => {
  t.equal(sseEvent("gap", { stream: "orders" }), 'event: gap\ndata: {"stream":"orders"}\n\n');
  t.equal(sseEvent("heartbeat", { a: "x\ny" }, "1A.b"), 'event: heartbeat\nid: 1A.b\ndata: {"a":"x\\ny"}\n\n');
  t.equal(sseEvent("error", null), "event: error\ndata: null\n\n");
});

t.test("the head and the end stand around a payload as a whole event does", async (t) => {
  const payload = { total: 5, note: "é" };
  const pieces = sseEventHead("order_created", "1A.b") + JSON.stringify(payload) + SSE_EVENT_END;
  t.equal(pieces, sseEvent("order_created", payload, "1A.b"));
});

t.test("the time to wait is a line of its own", async (t) => {
  t.equal(sseRetry(3_217), "retry: 3217\n\n");
});

t.test("any type and any data arrive as they were sent", async (t) => {
  const type = anyText.filter((text) => text !== "" && !hasControlCharacter(text));
  fc.assert(
    fc.property(type, fc.jsonValue(), (type, data) => {
      const [message, ...more] = parse(sseEvent(type, data, "1A.abcB~1~2.C"));
      assert.equal(message!.type, type);
      assert.equal(message!.lastEventId, "1A.abcB~1~2.C");
      assert.deepEqual(JSON.parse(message!.data), JSON.parse(JSON.stringify(data)));
      assert.equal(more.length, 0);
    }),
  );
  t.pass("for every event tried");
});
