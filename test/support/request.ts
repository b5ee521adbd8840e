import { once } from "node:events";
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";

export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string;
  /** Text is sent as it is; anything else as JSON. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body read as JSON; undefined when it is none. */
  readonly json: unknown;
}

const TIMEOUT_MS = 20_000;

/** One HTTP exchange over a TCP connection of its own, so that the kernel chooses a worker anew. */
export async function request(url: string, options: RequestOptions = {}): Promise<Answer> {
  const response = await send(url, options, AbortSignal.timeout(TIMEOUT_MS));
  const body = await text(response).catch((error: Error) => {
    throw new Error(`${response.statusCode} without an end: ${url} (${error.message})`);
  });
  return { status: response.statusCode!, headers: response.headers, text: body, json: parse(body) };
}

/** Sends the request, and resolves with the response before its body. */
export async function send(url: string, options: RequestOptions, signal?: AbortSignal): Promise<IncomingMessage> {
  const { method = "GET", headers, token, body } = options;
  const payload = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const outgoing = httpRequest(url, {
    agent: false,
    method,
    ...(signal && { signal }),
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(payload !== undefined && {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(payload).toString(),
      }),
      ...headers,
    },
  });
  outgoing.end(payload);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return response;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
