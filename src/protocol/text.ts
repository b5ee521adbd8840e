const utf8 = new TextEncoder();

export function utf8Length(text: string): number {
  return utf8.encode(text).length;
}

/** Whether `text` has at most `bytes` bytes as UTF-8. Encodes it only where its length leaves that open. */
export function fitsUtf8(text: string, bytes: number): boolean {
  return text.length * LARGEST_UTF8_PER_UNIT <= bytes || (text.length <= bytes && utf8Length(text) <= bytes);
}

/** Bytes of one UTF-16 code unit. */
const LARGEST_UTF8_PER_UNIT = 3;

/** Half a surrogate pair has no UTF-8 form, so two different such texts would become one on the wire. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** Control characters would end a line of an event stream or hide in a log. */
export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text);
}

const LONE_SURROGATE = /\p{Surrogate}/u;
const CONTROL = /\p{Cc}/u;
