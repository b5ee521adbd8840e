import type { BatchRecord } from "../../protocol/batch.js";
import type { Channel } from "../../protocol/channel.js";
import { packMessage } from "../../protocol/msgpack.js";
import { SSE_EVENT_END, sseEvent, sseEventHead } from "../../protocol/sse.js";
import { encodeServerMessage, type ServerMessage } from "../../protocol/websocket.js";
import type { FrameFormat } from "./subscriber.js";

/**
 * Puts the cursor into an already encoded event. All that is left to do per event and kind of audience is to copy:
 * a head with the cursor, then the tail the owner of the stream encoded.
 *
 * @returns a view of memory that the next call overwrites.
 */
export function composeFrame(format: FrameFormat, channel: Channel, record: BatchRecord, cursor: string): Uint8Array {
  switch (format) {
    case "sse":
      return composeSse(record, cursor);
    case "json":
      return composeJson(channel.messageType!, record, cursor);
    case "msgpack":
      return composeMsgpack(channel.messageType!, record, cursor);
  }
}

export function composeHeartbeat(format: FrameFormat, channel: Channel, tenant: string, cursor: string): Uint8Array {
  const timestamp = new Date().toISOString();
  const { label } = channel;
  if (format === "sse") {
    const data = { timestamp, tenant_id: tenant, ...(label !== undefined && { stream: label }) };
    return Buffer.from(sseEvent("heartbeat", data, cursor));
  }
  const message: ServerMessage =
    label === undefined
      ? { type: "ping", id: cursor, timestamp }
      : { type: "heartbeat", id: cursor, stream: label, timestamp };
  return Buffer.from(encodeServerMessage(message, format));
}

let scratch = Buffer.allocUnsafe(64 * 1024);
/** Most bytes a head can take: a type of 256 characters and a cursor of 256, and room to spare. */
const LARGEST_HEAD = 4096;
const END = Buffer.from(SSE_EVENT_END);

function composeSse({ type, jsonTail, payloadOffset, payloadLength }: BatchRecord, cursor: string): Uint8Array {
  reserve(payloadLength);
  let at = scratch.write(sseEventHead(type, cursor));
  scratch.set(jsonTail.subarray(payloadOffset, payloadOffset + payloadLength), at);
  at += payloadLength;
  scratch.set(END, at);
  return scratch.subarray(0, at + END.length);
}

function composeJson(messageType: string, { jsonTail }: BatchRecord, cursor: string): Uint8Array {
  reserve(jsonTail.length);
  const at = scratch.write(`{"type":"${messageType}","id":"${cursor}"`, "latin1");
  scratch.set(jsonTail, at);
  return scratch.subarray(0, at + jsonTail.length);
}

/** The tail is a map; two more pairs go before its first (MessagePack specification, "Map format family"). */
function composeMsgpack(messageType: string, { msgpackTail }: BatchRecord, cursor: string): Uint8Array {
  reserve(msgpackTail.length);
  const head = packMessage({ type: messageType, id: cursor });
  scratch.set(head, 0);
  scratch[0] = head[0]! + (msgpackTail[0]! & FIXMAP_COUNT);
  scratch.set(msgpackTail.subarray(1), head.length);
  return scratch.subarray(0, head.length + msgpackTail.length - 1);
}

const FIXMAP_COUNT = 0x0f;

function reserve(tailBytes: number): void {
  if (scratch.length < tailBytes + LARGEST_HEAD) scratch = Buffer.allocUnsafe((tailBytes + LARGEST_HEAD) * 2);
}
