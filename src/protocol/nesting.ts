/** Deepest nesting of a payload: far below where packing or unpacking would run out of stack. */
export const MAX_PAYLOAD_DEPTH = 512;

/**
 * Whether JSON nests arrays and objects more than `limit` levels deep, to be asked before it is parsed: a few megabytes of
 * brackets take the parser seconds, and this a few milliseconds. Of text that is no JSON either answer may come.
 */
export function nestsDeeperThan(json: string, limit: number): boolean {
  // Every level opens and closes.
  if (json.length <= 2 * limit) return false;
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === QUOTE) isInString = !isInString;
    else if (isInString) {
      if (code === BACKSLASH) i++;
    } else if (code === OPENING_BRACKET || code === OPENING_BRACE) {
      depth++;
      if (depth > limit) return true;
    } else if (code === CLOSING_BRACKET || code === CLOSING_BRACE) depth--;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
