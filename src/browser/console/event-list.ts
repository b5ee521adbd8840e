import { shorten } from "./wording.js";

/** One line of the list. */
export interface Row {
  /** Milliseconds since 1970. */
  receivedAt: number;
  type: string;
  topic: string;
  data: unknown;
  id: string;
  isGap: boolean;
}

const MOST_ROWS = 200;
const MOST_HIGHLIGHTED = 10;
const PAYLOAD_LENGTH = 120;
// What fits in three lines of the column. An id is a position in several streams, so any part of it may change.
const ID_LENGTH = 30;

const timeOfDay = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});

/** The newest rows of a table body, newest first. Rows that come while it is paused are held back. */
export class EventList {
  readonly #body: HTMLElement;
  // Oldest first; not yet shown.
  #held: Row[] = [];
  #heldCount = 0;
  #isPaused = false;

  constructor(body: HTMLElement) {
    this.#body = body;
  }

  /** Rows that came since the pause. */
  get heldCount(): number {
    return this.#isPaused ? this.#heldCount : 0;
  }

  get isEmpty(): boolean {
    return this.#body.childElementCount === 0;
  }

  add(row: Row): void {
    this.#held.push(row);
    this.#heldCount += 1;
    if (this.#held.length >= 2 * MOST_ROWS) this.#held = this.#held.slice(-MOST_ROWS);
  }

  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
  }

  clear(): void {
    this.#held = [];
    this.#heldCount = 0;
    this.#body.replaceChildren();
  }

  /** Shows what came since the last call, unless paused. */
  show(): void {
    if (this.#isPaused || this.#held.length === 0) return;
    const rows = this.#held.slice(-MOST_ROWS).reverse();
    this.#held = [];
    this.#heldCount = 0;
    const elements = rows.map(rowElement);
    // Highlighting many rows at once would say nothing, and cost much.
    if (rows.length <= MOST_HIGHLIGHTED) for (const element of elements) element.classList.add("arriving");
    this.#body.prepend(...elements);
    while (this.#body.childElementCount > MOST_ROWS) this.#body.lastElementChild?.remove();
  }
}

function rowElement({ receivedAt, type, topic, data, id, isGap }: Row): HTMLTableRowElement {
  const element = document.createElement("tr");
  element.className = isGap ? "gap" : "event";
  element.dataset.testid = isGap ? "gap-row" : "event-row";
  element.dataset.eventId = id;
  element.append(
    textElement("td", "time", timeOfDay.format(receivedAt)),
    document.createElement("td"),
    textElement("td", "topic", topic),
    textElement("td", "id", shorten(id, ID_LENGTH)),
  );
  element.cells[1]?.append(
    textElement("span", "type", type),
    textElement("span", "payload", shorten(payloadText(data), PAYLOAD_LENGTH)),
  );
  return element;
}

function payloadText(data: unknown): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}

function textElement(name: "td" | "span", className: string, text: string): HTMLElement {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}
