import { RefusalError } from "../protocol/errors.js";
import { MAX_PAYLOAD_DEPTH, nestsDeeperThan } from "../protocol/nesting.js";

/** Largest body of one request, 8 MiB. */
export const MAX_REQUEST_BYTES = 8 * 1024 * 1024;

const NDJSON = "application/x-ndjson";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The items of a request: one JSON value, a JSON array of them, or with content type `application/x-ndjson` one per
 * line, where blank lines do not count. What an item must be is checked later.
 *
 * @throws RefusalError bad_request when the body is no such text, or holds no item; too_large above 8 MiB
 */
export function parseBody(body: Uint8Array, contentType: string): unknown[] {
  if (body.length > MAX_REQUEST_BYTES) {
    throw new RefusalError("too_large", `the request has more than ${MAX_REQUEST_BYTES} bytes`);
  }
  const text = decode(body);
  const items = mediaType(contentType) === NDJSON ? parseLines(text) : parseValue(text);
  if (items.length === 0) throw new RefusalError("bad_request", "the request holds no item");
  return items;
}

function decode(body: Uint8Array): string {
  try {
    return utf8.decode(body);
  } catch {
    throw new RefusalError("bad_request", "the request is not UTF-8");
  }
}

function mediaType(contentType: string): string {
  return contentType.split(";", 1)[0]!.trim().toLowerCase();
}

function parseLines(text: string): unknown[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line, index) => parseJson(line, `item ${index}: not JSON`));
}

function parseValue(text: string): unknown[] {
  const value = parseJson(text, "the request is not JSON");
  return Array.isArray(value) ? value : [value];
}

/** The list of items, and the item around its payload. */
const DEEPEST = MAX_PAYLOAD_DEPTH + 2;

/** The parser's own message would repeat what was sent. */
function parseJson(text: string, problem: string): unknown {
  if (nestsDeeperThan(text, DEEPEST)) {
    throw new RefusalError("bad_request", `${problem} nested at most ${DEEPEST} levels deep`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new RefusalError("bad_request", problem);
  }
}
