import { cursorHead, EVENT_MARK, encodePosition, type Position, topicPart, topicTag } from "../../protocol/cursor.js";
import { compareEntryIds, type EntryId, ZERO_ID } from "../../protocol/entry-id.js";
import { partitionStream, type StreamLayout, sharedStream } from "../../protocol/stream.js";

/** @param eventStream key of the stream that holds the event whose cursor is written; absent for any other cursor. */
export type WriteCursor = (eventStream?: string) => string;

/**
 * Up to where this worker has broadcast each stream: every event at or before a stream's position that concerns a
 * tenant with subscribers here has been handed to the hub, none after it.
 */
export class Positions {
  readonly #layout: StreamLayout;
  readonly #streams = new Map<string, StreamPosition>();
  readonly #ownerless = new Set<string>();
  #changed: (() => void)[] = [];

  constructor(layout: StreamLayout) {
    this.#layout = layout;
  }

  /** undefined until the stream's owner has said where it stands. */
  get(key: string): Position | undefined {
    const stream = this.#streams.get(key);
    return stream?.known ? stream : undefined;
  }

  /** Whether the present owner of each of these streams has said where it stands. */
  isKnown(keys: readonly string[]): boolean {
    return keys.every((key) => this.#streams.get(key)?.known && !this.#ownerless.has(key));
  }

  /** These streams have no owner: nobody relays to whom an event has come to matter since. */
  disown(keys: readonly string[]): void {
    for (const key of keys) this.#ownerless.add(key);
  }

  /** The owner of a stream says that it has delivered everything up to here. */
  ownerAt(key: string, id: EntryId, epoch = 0): void {
    this.#ownerless.delete(key);
    if (this.get(key) === undefined) this.set(key, { id, epoch });
    else this.advance(key, id);
  }

  /** Moves a stream forward. @returns false when it stood there already or further on. */
  advance(key: string, id: EntryId): boolean {
    const stream = this.#stream(key);
    if (stream.known && compareEntryIds(id, stream.id) <= 0) return false;
    setPosition(stream, { id, epoch: stream.epoch });
    return true;
  }

  /** Puts a stream anywhere, back to its start too. */
  set(key: string, position: Position): void {
    setPosition(this.#stream(key), position);
  }

  /** A stream that was deleted or went back in time starts anew, in a later epoch. */
  reset(key: string, epoch: number): void {
    this.set(key, { id: ZERO_ID, epoch });
  }

  /** Wakes everyone who waits for `changed`: once per batch, not per event. */
  announce(): void {
    const waiting = this.#changed;
    if (waiting.length === 0) return;
    this.#changed = [];
    for (const wake of waiting) wake();
  }

  changed(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  snapshot(keys: readonly string[]): Map<string, Position> {
    return new Map(keys.map((key) => [key, { ...this.#stream(key) }]));
  }

  all(): Map<string, EntryId> {
    const known = [...this.#streams].filter(([, { known }]) => known);
    return new Map(known.map(([key, { id }]) => [key, id]));
  }

  /** A function that writes the cursor of these topics and this partition as they stand at the moment of the call. */
  cursorWriter(topics: readonly string[], partition: number): WriteCursor {
    const head = cursorHead(partition);
    const parts = topics.map((topic) => ({
      tag: topicTag(topic),
      shared: this.#stream(sharedStream(this.#layout, topic).key),
      partitioned: this.#stream(partitionStream(this.#layout, topic, partition).key),
    }));
    return (eventStream) => {
      let cursor = head;
      for (const { tag, shared, partitioned } of parts) {
        cursor += topicPart(tag, markedText(shared, eventStream), markedText(partitioned, eventStream));
      }
      return cursor;
    };
  }

  #stream(key: string): StreamPosition {
    let stream = this.#streams.get(key);
    if (stream === undefined) {
      stream = { key, id: ZERO_ID, epoch: 0, text: "", known: false };
      this.#streams.set(key, stream);
    }
    return stream;
  }
}

function setPosition(stream: StreamPosition, { id, epoch }: Position): void {
  stream.id = id;
  stream.epoch = epoch;
  stream.known = true;
  stream.text = encodePosition(stream);
}

function markedText({ key, text }: StreamPosition, eventStream: string | undefined): string {
  return key === eventStream ? EVENT_MARK + text : text;
}

interface StreamPosition {
  readonly key: string;
  id: EntryId;
  epoch: number;
  /** As it stands in a cursor. */
  text: string;
  known: boolean;
}
