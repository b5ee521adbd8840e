/** Why a link ended: a refusal of the gateway, or what was seen on this side. */
export type EndReason = Refusal | LocalReason;

/** The stable codes of the gateway. */
export type Refusal = keyof typeof STEPS;

/** `network`: cut or unreachable. `timeout`: silent for too long. `bad_response`: not a gateway's answer. */
export type LocalReason = "network" | "timeout" | "bad_response";

const STEPS = {
  auth_required: "new-token",
  token_invalid: "new-token",
  token_expired: "new-token",
  forbidden: "stop",
  origin_forbidden: "stop",
  revoked: "stop",
  bad_request: "stop",
  too_large: "stop",
  not_found: "stop",
  method_not_allowed: "stop",
  slow_consumer: "retry",
  quota_exceeded: "retry",
  rate_limited: "retry",
  overloaded: "retry",
  going_away: "retry",
  unavailable: "retry",
} as const;

// A close code may stand for several refusals; the first is taken when nothing says which.
const REFUSALS_OF_CLOSE_CODE: Readonly<Record<number, readonly [Refusal, ...Refusal[]]>> = {
  1008: ["token_invalid", "auth_required", "forbidden"],
  1009: ["too_large"],
  1011: ["unavailable", "bad_request", "origin_forbidden"],
  1012: ["going_away"],
  1013: ["overloaded"],
  4401: ["token_expired"],
  4403: ["revoked"],
  4408: ["slow_consumer"],
  4429: ["quota_exceeded", "rate_limited"],
};

const REFUSAL_OF_STATUS: Readonly<Record<number, Refusal>> = {
  400: "bad_request",
  401: "token_invalid",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  413: "too_large",
  429: "rate_limited",
  503: "overloaded",
};

/** What to do next: give up, come back with another token, or just come back. */
export function nextStep(reason: EndReason): "stop" | "new-token" | "retry" {
  return isRefusal(reason) ? STEPS[reason] : "retry";
}

/** @param hints whatever else may name the refusal: the close reason, the code of an `error` message before it */
export function reasonOfClose(closeCode: number, hints: readonly unknown[]): EndReason {
  const refusals = REFUSALS_OF_CLOSE_CODE[closeCode];
  if (refusals === undefined) return "network";
  return refusals.find((refusal) => hints.includes(refusal)) ?? refusals[0];
}

/** @param code `error.code` of the body, if there was one */
export function reasonOfStatus(status: number, code: unknown): EndReason {
  return isRefusal(code) ? code : (REFUSAL_OF_STATUS[status] ?? "bad_response");
}

export function isRefusal(code: unknown): code is Refusal {
  return typeof code === "string" && Object.hasOwn(STEPS, code);
}
