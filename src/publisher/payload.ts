import { MAX_PAYLOAD_DEPTH } from "../protocol/nesting.js";
import { isWellFormed } from "../protocol/text.js";

const TOO_DEEP = `nested more than ${MAX_PAYLOAD_DEPTH} levels deep`;
const NOT_UNICODE = "contains half of a surrogate pair, which is no Unicode text";

/** Why a JSON value cannot be delivered as it is; null when it can. */
export function payloadProblem(value: unknown, depth = 0): string | null {
  if (typeof value === "string") return isWellFormed(value) ? null : NOT_UNICODE;
  if (typeof value !== "object" || value === null) return null;
  if (depth === MAX_PAYLOAD_DEPTH) return TOO_DEEP;
  for (const [key, inner] of Object.entries(value)) {
    const problem = isWellFormed(key) ? payloadProblem(inner, depth + 1) : NOT_UNICODE;
    if (problem !== null) return problem;
  }
  return null;
}
