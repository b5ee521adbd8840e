import type { HttpRequest } from "uWebSockets.js";
import { RefusalError } from "../../protocol/errors.js";
import { parseTypesParameter } from "../../protocol/filter.js";

/** What of a request is needed later: uWebSockets.js empties its own request once the handler returns. */
export interface RequestSnapshot {
  readonly query: URLSearchParams;
  readonly authorization: string;
  readonly origin: string;
  readonly lastEventId: string | null;
  readonly contentType: string;
  readonly contentLength: number;
  readonly subprotocols: readonly string[];
}

export function snapshot(request: HttpRequest): RequestSnapshot {
  const query = new URLSearchParams(request.getQuery());
  const offered = request.getHeader("sec-websocket-protocol");
  return {
    query,
    authorization: request.getHeader("authorization"),
    origin: request.getHeader("origin"),
    lastEventId: request.getHeader("last-event-id") || query.get("last_event_id") || null,
    contentType: request.getHeader("content-type"),
    contentLength: Number(request.getHeader("content-length") || 0),
    subprotocols: offered === "" ? [] : offered.split(",").map((name) => name.trim()),
  };
}

/**
 * Refuses what other servers may read with another length than ours does (RFC 9112 section 6.3): behind a proxy the rest
 * of its body could pass for the request of someone else.
 * @throws RefusalError `bad_request`.
 */
export function checkFraming(request: HttpRequest): void {
  let lengths = 0;
  let encodings = "";
  request.forEach((name, value) => {
    if (name === "content-length") lengths++;
    if (name === "transfer-encoding") encodings += value;
  });
  const isClear = encodings === "" ? lengths <= 1 : lengths === 0 && encodings.toLowerCase() === "chunked";
  if (!isClear) throw new RefusalError("bad_request", "The length of the body is not clear");
}

/** The event types asked for; null when none are named. @throws RefusalError `bad_request`. */
export function readTypes(query: URLSearchParams): readonly string[] | null {
  const types = query.get("types");
  if (types === null) return null;
  const patterns = parseTypesParameter(types);
  if ("problem" in patterns) throw new RefusalError("bad_request", `types: ${patterns.problem}`);
  return patterns;
}
