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
  scratch.clear();
  scratch.add(format, channel, record, cursor);
  return scratch.bytes;
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

/** Most bytes a head can take: a type of 256 characters and a cursor of 256, and room to spare. */
const LARGEST_HEAD = 4096;
const FIXMAP_COUNT = 0x0f;
const END = Buffer.from(SSE_EVENT_END);

/** Frames that go out together, one behind the other. */
export class FrameBlock {
  #buffer = Buffer.allocUnsafe(64 * 1024);
  #length = 0;
  /** Where each frame ends. */
  readonly ends: number[] = [];

  /** Good until the next frame is added. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
    this.ends.length = 0;
  }

  add(format: FrameFormat, channel: Channel, record: BatchRecord, cursor: string): void {
    switch (format) {
      case "sse":
        this.#addSse(record, cursor);
        break;
      case "json":
        this.#addJson(channel.messageType!, record, cursor);
        break;
      case "msgpack":
        this.#addMsgpack(channel.messageType!, record, cursor);
        break;
    }
    this.ends.push(this.#length);
  }

  #addSse({ type, jsonTail, payloadOffset, payloadLength }: BatchRecord, cursor: string): void {
    this.#reserve(payloadLength);
    this.#length += this.#buffer.write(sseEventHead(type, cursor), this.#length);
    this.#put(jsonTail.subarray(payloadOffset, payloadOffset + payloadLength));
    this.#put(END);
  }

  #addJson(messageType: string, { jsonTail }: BatchRecord, cursor: string): void {
    this.#reserve(jsonTail.length);
    this.#length += this.#buffer.write(`{"type":"${messageType}","id":"${cursor}"`, this.#length, "latin1");
    this.#put(jsonTail);
  }

  /** The tail is a map; two more pairs go before its first (MessagePack specification, "Map format family"). */
  #addMsgpack(messageType: string, { msgpackTail }: BatchRecord, cursor: string): void {
    this.#reserve(msgpackTail.length);
    const start = this.#length;
    const head = packMessage({ type: messageType, id: cursor });
    this.#put(head);
    this.#buffer[start] = head[0]! + (msgpackTail[0]! & FIXMAP_COUNT);
    this.#put(msgpackTail.subarray(1));
  }

  #put(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(tailBytes: number): void {
    const needed = this.#length + tailBytes + LARGEST_HEAD;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(needed * 2);
    larger.set(this.bytes);
    this.#buffer = larger;
  }
}

const scratch = new FrameBlock();
