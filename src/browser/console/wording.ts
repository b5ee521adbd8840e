import type { ConnectionState, StateChange, StateReason, Transport } from "../client.js";
import type { Recovered } from "./recovery.js";

export const STATE_NAMES: Readonly<Record<ConnectionState, string>> = {
  connecting: "Connecting",
  open: "Open",
  waiting: "Waiting",
  closed: "Closed",
};

const TRANSPORT_NAMES: Readonly<Record<Transport, string>> = { ws: "WebSocket", sse: "SSE" };

const REASONS: Readonly<Record<StateReason, string>> = {
  network: "The gateway cannot be reached",
  timeout: "The gateway went silent",
  bad_response: "What answered is not a gateway",
  offline: "There is no network",
  token_unavailable: "There is no token",
  dropped: "Cut on purpose",
  closed: "Closed by this page",
  auth_required: "A token is needed",
  token_invalid: "The token is not valid",
  token_expired: "The token has expired",
  forbidden: "The token does not allow this",
  origin_forbidden: "This page’s origin is not allowed",
  revoked: "The token was revoked",
  bad_request: "The gateway did not understand",
  too_large: "The request was too large",
  not_found: "There is no such path on the gateway",
  method_not_allowed: "The gateway does not allow this",
  slow_consumer: "This page was too slow",
  quota_exceeded: "There are too many connections",
  rate_limited: "There were too many attempts",
  overloaded: "The gateway is busy",
  going_away: "The gateway is restarting",
  unavailable: "The gateway has lost its Redis",
};

/** A sentence or two on what the connection does; undefined where the state's name is enough. */
export function stateSentence({ state, transport, reason, retryInMs }: StateChange): string | undefined {
  if (state === "open") return `Connected over ${TRANSPORT_NAMES[transport]}.`;
  const why = reason && REASONS[reason];
  if (state === "closed") return `${why}. Open the page with another token to go on.`;
  if (state !== "waiting") return undefined;
  if (retryInMs === undefined) return `${why}. It goes on as soon as it can.`;
  const seconds = Math.round(retryInMs / 1000);
  return seconds > 0 ? `${why}. Next attempt in ${seconds} s.` : `${why}. Trying again.`;
}

export function recoverySentence({ events, gaps }: Recovered): string {
  const count = events === 1 ? "1 event" : `${events} events`;
  if (gaps.length > 0) return `Resumed, ${count} recovered, but some are gone for good (${gaps.join(", ")}).`;
  return events > 0
    ? `Resumed: ${count} recovered, nothing missed.`
    : "Resumed: no event came meanwhile, nothing missed.";
}

/** The text, cut to at most this many characters. */
export function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

export function milliseconds(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}
