import type { HttpResponse } from "uWebSockets.js";
import { REFUSALS, type RefusalCode, RefusalError } from "../../protocol/errors.js";

export type Headers = Readonly<Record<string, string>>;

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: "200 OK",
  202: "202 Accepted",
  204: "204 No Content",
  308: "308 Permanent Redirect",
  400: "400 Bad Request",
  401: "401 Unauthorized",
  403: "403 Forbidden",
  404: "404 Not Found",
  405: "405 Method Not Allowed",
  413: "413 Content Too Large",
  429: "429 Too Many Requests",
  500: "500 Internal Server Error",
  503: "503 Service Unavailable",
};

/** Seconds a refused client is asked to wait, at least; spread, so that many do not return at once. */
const RETRY_AFTER_SECONDS = 1;
const RETRY_AFTER_SPREAD_SECONDS = 5;

/** An answer is for the bearer of one token, and is data. */
const JSON_HEADERS: Headers = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** Must not be called once the response was aborted. */
export function respond(response: HttpResponse, status: number, headers: Headers, body: string | Uint8Array): void {
  response.cork(() => {
    response.writeStatus(STATUS_TEXT[status]!);
    for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
    response.end(body);
  });
}

export function respondJson(response: HttpResponse, status: number, headers: Headers, body: unknown): void {
  respond(response, status, { ...headers, ...JSON_HEADERS }, JSON.stringify(body));
}

/** Answers with the code's status and `{"error":{"code","message"}}`. To be called by way of the context, which counts it. */
export function respondRefusal(response: HttpResponse, refusal: RefusalError, headers: Headers): void {
  const { code, message, retryAfterSeconds = spreadRetry() } = refusal;
  const { status } = REFUSALS[code];
  respondJson(
    response,
    status,
    { ...headers, ...headersOf(code, status, retryAfterSeconds) },
    {
      error: { code, message },
    },
  );
}

/** What a handler threw: a refusal, or a defect, of which the client learns nothing. */
export function toRefusal(error: unknown, onDefect: (error: unknown) => void): RefusalError {
  if (error instanceof RefusalError) return error;
  onDefect(error);
  return new RefusalError("overloaded", "Internal error, try again");
}

function headersOf(code: RefusalCode, status: number, retryAfterSeconds: number): Headers {
  if (status === 401) return { "www-authenticate": "Bearer" };
  if (status === 429 || status === 503) return { "retry-after": String(retryAfterSeconds) };
  return code === "too_large" ? { connection: "close" } : {};
}

function spreadRetry(): number {
  return RETRY_AFTER_SECONDS + Math.floor(Math.random() * RETRY_AFTER_SPREAD_SECONDS);
}
