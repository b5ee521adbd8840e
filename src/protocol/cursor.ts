import { type EntryId, isEntryId, previousEntryId, ZERO_ID } from "./entry-id.js";

/**
 * A cursor says where a connection stands: per topic, the last entry it is past in the shared stream and in its
 * tenant's partition. Text of `A-Z a-z 0-9 . _ ~ -`, at most 256 characters:
 *
 *     1<partition> ( .<topic tag><shared position>.<partition position> )*
 *
 * A position is `<ms>[~<sequence>[~<epoch>]]` in base-64 digits, empty for the start of a stream. The epoch counts how
 * often the stream was seen deleted or rolled back, so that a position from before is recognised. In the cursor of an
 * event, `~` stands before the position of the event itself: so the position before the event is known too.
 */
export interface Position {
  readonly id: EntryId;
  /** 0 until the stream was first seen deleted or rolled back. */
  readonly epoch: number;
}

export interface TopicPositions {
  readonly shared: Position;
  readonly partitioned: Position;
}

export interface Cursor {
  readonly partition: number;
  /** By topic tag, see `topicTag`. */
  readonly topics: ReadonlyMap<string, TopicPositions>;
  /** Where the event stands whose cursor this is; absent in a cursor that is no event's. */
  readonly event?: { readonly tag: string; readonly kind: keyof TopicPositions };
}

export const START: Position = { id: ZERO_ID, epoch: 0 };

export const MAX_CURSOR_LENGTH = 256;

const DIGITS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const VALUE_OF = new Map([...DIGITS].map((digit, value) => [digit, value]));
const TAG_LENGTH = 3;
const MAX_SAFE_DECIMALS = 15;

/** `1<partition>`, to be followed by one `topicPart` for each topic. */
export function cursorHead(partition: number): string {
  return `1${toBase64Digits(partition)}`;
}

export function topicPart(tag: string, shared: string, partitioned: string): string {
  return `.${tag}${shared}.${partitioned}`;
}

/** The text of one position, as it stands inside a cursor. */
export function encodePosition({ id, epoch }: Position): string {
  if (id === ZERO_ID && epoch === 0) return "";
  const dash = id.indexOf("-");
  const ms = decimalToDigits(id.slice(0, dash));
  const sequence = id.slice(dash + 1);
  if (epoch > 0) return `${ms}~${decimalToDigits(sequence)}~${toBase64Digits(epoch)}`;
  return sequence === "0" ? ms : `${ms}~${decimalToDigits(sequence)}`;
}

export function encodeCursor({ partition, topics, event }: Cursor): string {
  let text = cursorHead(partition);
  for (const [tag, positions] of topics) {
    const part = (kind: keyof TopicPositions) =>
      (event?.tag === tag && event.kind === kind ? EVENT_MARK : "") + encodePosition(positions[kind]);
    text += topicPart(tag, part("shared"), part("partitioned"));
  }
  return text;
}

/** Before the position of the event itself. */
export const EVENT_MARK = "~";

/** The cursor that stood before the event whose cursor this is; a cursor of no event stays as it is. */
export function cursorBefore({ partition, topics, event }: Cursor): Cursor {
  if (event === undefined) return { partition, topics };
  const { tag, kind } = event;
  const positions = topics.get(tag)!;
  const before: Position = { ...positions[kind], id: previousEntryId(positions[kind].id) };
  return { partition, topics: new Map(topics).set(tag, { ...positions, [kind]: before }) };
}

/** @returns null when `text` is not a cursor of ours. */
export function decodeCursor(text: string): Cursor | null {
  if (text.length > MAX_CURSOR_LENGTH || text[0] !== "1") return null;
  const [head, ...parts] = text.split(".");
  const partition = digitsToNumber(head!.slice(1));
  if (partition === null || parts.length === 0 || parts.length % 2 !== 0) return null;
  const topics = new Map<string, TopicPositions>();
  let event: Cursor["event"];
  for (let i = 0; i < parts.length; i += 2) {
    const tag = parts[i]!.slice(0, TAG_LENGTH);
    const texts = { shared: parts[i]!.slice(TAG_LENGTH), partitioned: parts[i + 1]! };
    for (const kind of ["shared", "partitioned"] as const) {
      if (!texts[kind].startsWith(EVENT_MARK)) continue;
      if (event !== undefined || texts[kind] === EVENT_MARK) return null;
      event = { tag, kind };
      texts[kind] = texts[kind].slice(EVENT_MARK.length);
    }
    const shared = decodePosition(texts.shared);
    const partitioned = decodePosition(texts.partitioned);
    if (!isTag(tag) || topics.has(tag) || shared === null || partitioned === null) return null;
    topics.set(tag, { shared, partitioned });
  }
  const cursor: Cursor = event === undefined ? { partition, topics } : { partition, topics, event };
  // Leading zeros and the like are not ours.
  return encodeCursor(cursor) === text ? cursor : null;
}

/** Three base-64 digits, 18 bits of FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/): a topic's name in a cursor. */
export function topicTag(topic: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < topic.length; i++) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193);
  const folded = (hash ^ (hash >>> 18)) & 0x3ffff;
  return DIGITS[folded >> 12]! + DIGITS[(folded >> 6) & 63]! + DIGITS[folded & 63]!;
}

function decodePosition(text: string): Position | null {
  if (text === "") return START;
  const [ms = "", sequence, epoch, ...rest] = text.split("~");
  if (rest.length > 0) return null;
  const id = `${digitsToDecimal(ms)}-${sequence === undefined ? "0" : digitsToDecimal(sequence)}`;
  const epochNumber = epoch === undefined ? 0 : digitsToNumber(epoch);
  return isEntryId(id) && epochNumber !== null ? { id, epoch: epochNumber } : null;
}

function isTag(text: string): boolean {
  return text.length === TAG_LENGTH && [...text].every((digit) => VALUE_OF.has(digit));
}

function decimalToDigits(decimal: string): string {
  if (decimal.length <= MAX_SAFE_DECIMALS) return toBase64Digits(Number(decimal));
  let rest = BigInt(decimal);
  let text = "";
  do {
    text = DIGITS[Number(rest & 63n)] + text;
    rest >>= 6n;
  } while (rest > 0n);
  return text;
}

function toBase64Digits(value: number): string {
  let text = "";
  let rest = value;
  do {
    text = DIGITS[rest % 64]! + text;
    rest = Math.floor(rest / 64);
  } while (rest > 0);
  return text;
}

function digitsToDecimal(digits: string): string | null {
  if (digits === "" || digits.length > 11) return null;
  let value = 0n;
  for (const digit of digits) {
    const digitValue = VALUE_OF.get(digit);
    if (digitValue === undefined) return null;
    value = value * 64n + BigInt(digitValue);
  }
  return value.toString();
}

function digitsToNumber(digits: string): number | null {
  const decimal = digitsToDecimal(digits);
  const value = decimal === null ? Number.NaN : Number(decimal);
  return Number.isSafeInteger(value) ? value : null;
}
