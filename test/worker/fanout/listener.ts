import { encodeEvents } from "../../../src/pool/encode-events.ts";
import type { BatchRecord, BatchSection } from "../../../src/protocol/batch.ts";
import type { Channel } from "../../../src/protocol/channel.ts";
import { EVERYTHING, type TypeFilter } from "../../../src/protocol/filter.ts";
import { unpackMessage } from "../../../src/protocol/msgpack.ts";
import { partitionStream, type StreamLayout, sharedStream } from "../../../src/protocol/stream.ts";
import type { AudienceSink, FrameFormat, Subscriber } from "../../../src/worker/fanout/subscriber.ts";
import { compactOf } from "../../protocol/raw-entry.ts";

export const LAYOUT: StreamLayout = { prefix: "s:", topics: ["orders", "notifications", "system"], partitions: 4 };

export const SHARED_ORDERS = sharedStream(LAYOUT, "orders").key;

export interface SentEvent {
  readonly id: string;
  readonly tenant: string;
  readonly type?: string;
  /** Absent: everyone of the tenant. */
  readonly target?: string;
  readonly payload?: unknown;
}

/** What one read of a stream becomes: the shared stream of a topic, or one of its partitions. */
export function sectionOf(topic: string, events: readonly SentEvent[], partition: number | null = null): BatchSection {
  const { key } = partition === null ? sharedStream(LAYOUT, topic) : partitionStream(LAYOUT, topic, partition);
  const entries = events.map(({ id, tenant, type = "order_created", target, payload = { from: id } }) => {
    const fields = {
      event_type: type,
      tenant_id: tenant,
      payload,
      ...(target !== undefined && { target_user_id: target }),
    };
    return { id, fields: compactOf(fields) };
  });
  return encodeEvents([{ key, topic, entries }], { msgpack: true }).sections[0]!;
}

export function recordOf(event: SentEvent): BatchRecord {
  return sectionOf("orders", [event]).records[0]!;
}

export interface ReadFrame {
  readonly type: string;
  readonly id: string;
  readonly data: unknown;
  readonly [key: string]: unknown;
}

/** Reads one frame as a client does; the type is that of the message, for SSE that of the event. */
export function readFrame(format: FrameFormat, bytes: Uint8Array): ReadFrame {
  if (format === "msgpack") return unpackMessage(bytes) as ReadFrame;
  const text = Buffer.from(bytes).toString();
  if (format === "json") return JSON.parse(text) as ReadFrame;
  const [, type, id, data] = /^event: (.*)\nid: (.*)\ndata: (.*)\n\n$/.exec(text) ?? [];
  return { type: type!, id: id!, data: JSON.parse(data!) as unknown };
}

/** A connection that keeps what it is sent. */
export class Listener implements Subscriber {
  readonly tenant: string;
  readonly user: string;
  readonly channel: Channel;
  readonly format: FrameFormat;
  filter: TypeFilter;
  readonly frames: ReadFrame[] = [];
  readonly cursors: string[] = [];

  constructor(tenant: string, channel: Channel, options: Partial<Pick<Subscriber, "user" | "format" | "filter">> = {}) {
    this.tenant = tenant;
    this.channel = channel;
    this.user = options.user ?? "u1";
    this.format = options.format ?? (channel.transport === "sse" ? "sse" : "json");
    this.filter = options.filter ?? EVERYTHING;
  }

  send(frame: Uint8Array, cursor: string): void {
    this.frames.push(readFrame(this.format, frame));
    this.cursors.push(cursor);
  }

  /** The entries whose events came, in order. */
  get received(): unknown[] {
    return this.frames.map(({ data }) => (data as { from: unknown }).from);
  }
}

/** An audience that sends at the end of the turn, and counts what it was asked. */
export class QueueingSink implements AudienceSink {
  readonly topic: string;
  readonly format: FrameFormat;
  readonly members = new Set<Subscriber>();
  written = 0;
  unsent: [frame: Uint8Array, cursor: string][] = [];

  constructor(topic: string, format: FrameFormat) {
    this.topic = topic;
    this.format = format;
  }

  add(subscriber: Subscriber): void {
    this.members.add(subscriber);
  }

  remove(subscriber: Subscriber): void {
    this.members.delete(subscriber);
  }

  write(frame: Uint8Array, cursor: string): void {
    this.written++;
    this.unsent.push([Uint8Array.from(frame), cursor]);
  }

  flush(): void {
    const sending = this.unsent;
    this.unsent = [];
    for (const member of this.members) for (const [frame, cursor] of sending) member.send(frame, cursor);
  }
}
