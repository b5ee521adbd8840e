/** Every refusal and close a client can see. docs/protocol.md has the same table. */
export interface Refusal {
  readonly status: number;
  /** WebSocket close code (RFC 6455 section 7.4), where the refusal can end a connection. */
  readonly close?: number;
  readonly message: string;
}

export const REFUSALS = {
  auth_required: { status: 401, close: 1008, message: "Authentication required" },
  token_invalid: { status: 401, close: 1008, message: "Invalid token" },
  token_expired: { status: 401, close: 4401, message: "Token expired" },
  forbidden: { status: 403, close: 1008, message: "Not allowed" },
  origin_forbidden: { status: 403, message: "Origin not allowed" },
  revoked: { status: 401, close: 4403, message: "Access revoked" },
  slow_consumer: { status: 503, close: 4408, message: "Too slow, resume" },
  quota_exceeded: { status: 429, close: 4429, message: "Too many connections" },
  rate_limited: { status: 429, close: 4429, message: "Too many messages" },
  overloaded: { status: 503, close: 1013, message: "Overloaded, try again" },
  going_away: { status: 503, close: 1012, message: "Going away, resume" },
  unavailable: { status: 503, message: "Redis cannot be reached, try again" },
  bad_request: { status: 400, message: "Bad request" },
  too_large: { status: 413, close: 1009, message: "Too large" },
  not_found: { status: 404, message: "Not found" },
  method_not_allowed: { status: 405, message: "Method not allowed" },
} as const satisfies Record<string, Refusal>;

export type RefusalCode = keyof typeof REFUSALS;

/** RFC 6455 section 7.4.1: 1011 where a condition on our side keeps us from going on. */
const INTERNAL_ERROR = 1011;

/** The WebSocket close code of a refusal. */
export function closeCodeOf(code: RefusalCode): number {
  const refusal: Refusal = REFUSALS[code];
  return refusal.close ?? INTERNAL_ERROR;
}

/** Thrown where a request or message must be answered with a code of the table. */
export class RefusalError extends Error {
  readonly code: RefusalCode;
  /** Seconds after which it makes sense to come back, where that is known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: RefusalCode, message: string = REFUSALS[code].message, retryAfterSeconds?: number) {
    super(message);
    this.retryAfterSeconds = retryAfterSeconds;
    this.name = "RefusalError";
    this.code = code;
  }
}
