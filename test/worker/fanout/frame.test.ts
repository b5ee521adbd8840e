import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { CHANNELS } from "../../../src/protocol/channel.ts";
import { composeFrame, composeHeartbeat } from "../../../src/worker/fanout/frame.ts";
import { realisticEntryId } from "../../protocol/arbitraries.ts";
import { readFrame, recordOf } from "./listener.ts";

const { sse, sseOrders, ws, wsOrders } = CHANNELS;
const CURSOR = "1A.abcXYZ~1.~Z_9-";
const EVENT = {
  id: "1700000000000-5",
  tenant: "acme",
  type: "order_created",
  payload: { total: 9.5, name: 'é "\n😀' },
};
const MESSAGE = {
  id: CURSOR,
  event_type: "order_created",
  data: EVENT.payload,
  timestamp: "2023-11-14T22:13:20.000Z",
  topic: "orders",
};

t.test("an SSE frame is an event of its own type, with the cursor and the payload on one line", async (t) => {
  const frame = Buffer.from(composeFrame("sse", sse, recordOf(EVENT), CURSOR)).toString();
  t.equal(frame, `event: order_created\nid: ${CURSOR}\ndata: ${JSON.stringify(EVENT.payload)}\n\n`);
});

for (const format of ["json", "msgpack"] as const) {
  t.test(`a ${format} frame is the whole message, named as its path names events`, async (t) => {
    const frameOn = (channel: typeof ws | typeof wsOrders) =>
      readFrame(format, composeFrame(format, channel, recordOf(EVENT), CURSOR));
    t.strictSame(frameOn(ws), { type: "event", ...MESSAGE });
    t.strictSame(frameOn(wsOrders), { type: "order_event", ...MESSAGE });
  });
}

t.test("any payload and type come back as they were, in every format and behind any length of cursor", async () => {
  const anyEvent = fc.record({
    id: realisticEntryId,
    tenant: fc.constant("acme"),
    type: fc.string({ unit: fc.constantFrom("a", "_", "é", "€", '"', "\\"), minLength: 1, maxLength: 64 }),
    payload: fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown),
  });
  const anyCursor = fc.string({ unit: fc.constantFrom("1", "A", ".", "_", "~", "-"), minLength: 1, maxLength: 256 });
  const run = fc.property(anyEvent, anyCursor, (event, cursor) => {
    const record = recordOf(event);
    const inSse = readFrame("sse", composeFrame("sse", sse, record, cursor));
    assert.deepEqual(inSse, { type: event.type, id: cursor, data: event.payload });
    for (const format of ["json", "msgpack"] as const) {
      const { type, id, event_type, data } = readFrame(format, composeFrame(format, ws, record, cursor));
      assert.deepEqual(
        { type, id, event_type, data },
        { type: "event", id: cursor, event_type: event.type, data: event.payload },
      );
    }
  });
  fc.assert(run, { numRuns: 300 });
});

t.test("a frame larger than any before it is whole", async (t) => {
  for (const size of [70_000, 1_000_000]) {
    const payload = { text: "x".repeat(size) };
    const record = recordOf({ ...EVENT, payload });
    for (const format of ["sse", "json", "msgpack"] as const) {
      const channel = format === "sse" ? sse : ws;
      t.strictSame(
        readFrame(format, composeFrame(format, channel, record, CURSOR)).data,
        payload,
        `${format}, ${size}`,
      );
    }
  }
});

t.test("a heartbeat carries the cursor, under the name its path gives it", async (t) => {
  const sent = (format: "sse" | "json" | "msgpack", channel: Parameters<typeof composeHeartbeat>[1]) => {
    const frame = readFrame(format, composeHeartbeat(format, channel, "acme", CURSOR));
    const { timestamp } = (format === "sse" ? frame.data : frame) as { timestamp: string };
    t.equal(new Date(timestamp).toISOString(), timestamp);
    return JSON.parse(JSON.stringify(frame).replaceAll(timestamp, "now")) as unknown;
  };
  const data = { timestamp: "now", tenant_id: "acme" };
  t.strictSame(sent("sse", sse), { type: "heartbeat", id: CURSOR, data });
  t.strictSame(sent("sse", sseOrders), { type: "heartbeat", id: CURSOR, data: { ...data, stream: "orders" } });
  for (const format of ["json", "msgpack"] as const) {
    t.strictSame(sent(format, ws), { type: "ping", id: CURSOR, timestamp: "now" });
    t.strictSame(sent(format, wsOrders), { type: "heartbeat", id: CURSOR, stream: "orders", timestamp: "now" });
  }
});
