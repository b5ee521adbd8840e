import { cursorHead, EVENT_MARK, encodePosition, type Position, topicPart, topicTag } from "../../protocol/cursor.js";
import type { EntryId } from "../../protocol/entry-id.js";
import type { StreamRef } from "../../protocol/stream.js";

interface Place {
  readonly stream: StreamRef;
  position: Position;
}

/** Stands where a position will be put. */
const HERE = "\0";

/** Where one connection stands in each of its streams. */
export class Standing {
  readonly #head: string;
  readonly #places: readonly Place[];

  /** @param streams of a tenant: for each topic the shared one, then the partition. */
  constructor(partition: number, streams: readonly StreamRef[], positionOf: (stream: StreamRef) => Position) {
    this.#head = cursorHead(partition);
    this.#places = streams.map((stream) => ({ stream, position: positionOf(stream) }));
  }

  get streams(): readonly StreamRef[] {
    return this.#places.map(({ stream }) => stream);
  }

  get(index: number): Position {
    return this.#places[index]!.position;
  }

  set(index: number, position: Position): void {
    this.#places[index]!.position = position;
  }

  cursor(): string {
    return this.#write(({ position }) => encodePosition(position));
  }

  /** A function that writes cursors of events of one stream, good as long as all other streams stand still. */
  eventCursors(index: number): (id: EntryId) => string {
    const { position } = this.#places[index]!;
    const text = this.#write((place, i) => (i === index ? EVENT_MARK + HERE : encodePosition(place.position)));
    const [before, after] = text.split(HERE) as [string, string];
    return (id) => before + encodePosition({ id, epoch: position.epoch }) + after;
  }

  #write(textOf: (place: Place, index: number) => string): string {
    const texts = this.#places.map(textOf);
    let cursor = this.#head;
    for (let i = 0; i < texts.length; i += 2) {
      cursor += topicPart(topicTag(this.#places[i]!.stream.topic), texts[i]!, texts[i + 1]!);
    }
    return cursor;
  }
}
