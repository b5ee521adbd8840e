import { RefusalError } from "../../protocol/errors.js";
import type { Headers } from "./respond.js";

const ALLOWED_HEADERS = "authorization, content-type, last-event-id, cache-control";
const PREFLIGHT_SECONDS = 600;

/** Which web pages may talk to the gateway (Fetch standard, section 3.2 "CORS protocol"). */
export class OriginPolicy {
  readonly #allowed: ReadonlySet<string>;

  constructor(origins: readonly string[]) {
    this.#allowed = new Set(origins);
  }

  /** @throws RefusalError `origin_forbidden`. Requests without an origin do not come from a page. */
  check(origin: string): void {
    if (origin !== "" && !this.#isAllowed(origin)) throw new RefusalError("origin_forbidden");
  }

  /** What a page of this origin needs to be let read the response. */
  headers(origin: string): Headers {
    if (origin === "" || !this.#isAllowed(origin)) return { vary: "Origin" };
    return {
      vary: "Origin",
      "access-control-allow-origin": origin,
      "access-control-expose-headers": "retry-after",
      // Only an origin that was named: "*" must not lend out a browser's credentials to every page.
      ...(this.#allowed.has(origin) && { "access-control-allow-credentials": "true" }),
    };
  }

  preflightHeaders(origin: string, methods: string): Headers {
    return {
      ...this.headers(origin),
      "access-control-allow-methods": methods,
      "access-control-allow-headers": ALLOWED_HEADERS,
      "access-control-max-age": String(PREFLIGHT_SECONDS),
    };
  }

  #isAllowed(origin: string): boolean {
    return this.#allowed.has("*") || this.#allowed.has(origin);
  }
}
