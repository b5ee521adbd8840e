import type { EntryId } from "./entry-id.js";

/**
 * Encoded events of one read, as they travel from the pool to the hub and from worker to worker: sections of one stream
 * each, in id order. Everything a frame needs but the cursor is already encoded; see frame.ts.
 *
 *     batch   := section*
 *     section := u32 bytes that follow, text key, text last id, u32 records, record*
 *     record  := u32 bytes that follow, text id, text tenant, text type, text target ("" = everyone),
 *                u32 payload offset, u32 payload bytes, blob json tail, blob msgpack tail
 *     text    := u16 bytes, UTF-8            blob := u32 bytes, bytes            all numbers big-endian
 */
export interface BatchSection {
  readonly streamKey: string;
  /** The last entry the section accounts for, delivered or not: the stream's position after it. */
  readonly lastId: EntryId;
  readonly records: readonly BatchRecord[];
}

export interface BatchRecord {
  readonly id: EntryId;
  readonly tenant: string;
  readonly type: string;
  /** Empty: every user of the tenant. */
  readonly target: string;
  /** What follows the id in a JSON message, from `"event_type"` to the closing brace; the payload stands inside. */
  readonly jsonTail: Uint8Array;
  readonly payloadOffset: number;
  readonly payloadLength: number;
  /** The same for MessagePack, as a map of its own (fixmap). Empty when nobody asked for it. */
  readonly msgpackTail: Uint8Array;
}

const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const utf8Encoder = new TextEncoder();
const INITIAL_BYTES = 64 * 1024;
const LARGEST_UTF8_PER_UNIT = 3;

export function encodeBatch(sections: readonly BatchSection[]): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  for (const section of sections) {
    const sectionStart = writer.openLength();
    writer.text(section.streamKey);
    writer.text(section.lastId);
    writer.u32(section.records.length);
    for (const record of section.records) writeRecord(writer, record);
    writer.closeLength(sectionStart);
  }
  return writer.finish();
}

/** Views into `bytes`: they are good as long as `bytes` is. */
export function decodeBatch(bytes: Uint8Array): BatchSection[] {
  const reader = new Reader(bytes);
  const sections: BatchSection[] = [];
  while (!reader.atEnd()) {
    reader.u32();
    const streamKey = reader.text();
    const lastId = reader.text();
    const records = Array.from({ length: reader.u32() }, () => readRecord(reader));
    sections.push({ streamKey, lastId, records });
  }
  return sections;
}

function writeRecord(writer: Writer, record: BatchRecord): void {
  const start = writer.openLength();
  writer.text(record.id);
  writer.text(record.tenant);
  writer.text(record.type);
  writer.text(record.target);
  writer.u32(record.payloadOffset);
  writer.u32(record.payloadLength);
  writer.blob(record.jsonTail);
  writer.blob(record.msgpackTail);
  writer.closeLength(start);
}

function readRecord(reader: Reader): BatchRecord {
  reader.u32();
  return {
    id: reader.text(),
    tenant: reader.text(),
    type: reader.text(),
    target: reader.text(),
    payloadOffset: reader.u32(),
    payloadLength: reader.u32(),
    jsonTail: reader.blob(),
    msgpackTail: reader.blob(),
  };
}

class Writer {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#end, value);
    this.#end += 4;
  }

  text(value: string): void {
    this.#reserve(2 + value.length * LARGEST_UTF8_PER_UNIT);
    const { written } = utf8Encoder.encodeInto(value, this.#bytes.subarray(this.#end + 2));
    this.#view.setUint16(this.#end, written);
    this.#end += 2 + written;
  }

  blob(value: Uint8Array): void {
    this.u32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#end);
    this.#end += value.length;
  }

  /** Leaves room for a length; the result goes to `closeLength` once what it counts is written. */
  openLength(): number {
    this.u32(0);
    return this.#end;
  }

  closeLength(start: number): void {
    this.#view.setUint32(start - 4, this.#end - start);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#end);
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  u32(): number {
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }

  text(): string {
    const length = this.#view.getUint16(this.#at);
    return utf8Decoder.decode(this.#take(2, length));
  }

  blob(): Uint8Array {
    const length = this.#view.getUint32(this.#at);
    return this.#take(4, length);
  }

  #take(prefix: number, length: number): Uint8Array {
    const start = this.#at + prefix;
    this.#at = start + length;
    return this.#bytes.subarray(start, this.#at);
  }
}
