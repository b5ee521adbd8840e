import type { BatchRecord } from "../../protocol/batch.js";
import { compareEntryIds, type EntryId } from "../../protocol/entry-id.js";

/** Events of one stream in id order. */
export interface Events {
  readonly length: number;
  /** @param index 0 is the oldest; below `length`. */
  at(index: number): BatchRecord | undefined;
}

/** Index of the first event after `id`; `length` when there is none. */
export function indexAfter(events: Events, id: EntryId): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareEntryIds(events.at(middle)!.id, id) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One tenant's recent events of one stream: in id order, and without a hole after its floor. */
export class StreamLog implements Events {
  /** Everything of the tenant after it is here, and nothing before it. */
  #floor: EntryId;
  /** The last event that has no MessagePack form, because nobody took it at that time. */
  #jsonOnly: EntryId;
  #records: BatchRecord[] = [];
  /** Of the oldest that is still kept; those before it wait to be cut off. */
  #first = 0;
  /** It is no longer anybody's: nothing is taken out of it any more. */
  isGivenUp = false;

  constructor(floor: EntryId) {
    this.#floor = floor;
    this.#jsonOnly = floor;
  }

  get length(): number {
    return this.#records.length - this.#first;
  }

  /** Everything after this can be read here. */
  floor(msgpack: boolean): EntryId {
    return msgpack && compareEntryIds(this.#jsonOnly, this.#floor) > 0 ? this.#jsonOnly : this.#floor;
  }

  /** The newest event, or the floor. */
  get lastId(): EntryId {
    return this.length > 0 ? this.#records.at(-1)!.id : this.#floor;
  }

  at(index: number): BatchRecord {
    return this.#records[this.#first + index]!;
  }

  /** @param record stands after all that are here. */
  add(record: BatchRecord): void {
    this.#records.push(record);
    if (record.msgpackTail.length === 0) this.#jsonOnly = record.id;
  }

  dropOldest(): void {
    this.#floor = this.at(0).id;
    this.#records[this.#first++] = undefined as never;
    if (this.#first < MANY || this.#first * 2 < this.#records.length) return;
    this.#records = this.#records.slice(this.#first);
    this.#first = 0;
  }

  /** An event that is not kept. To be called when nothing is here. */
  pass(id: EntryId): void {
    this.#floor = id;
  }
}

/** Cut off together, so that each costs little. */
const MANY = 256;
