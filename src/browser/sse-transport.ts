import { type EndReason, isRefusal, reasonOfStatus } from "./end-reason.js";
import type { Gap, Link, LinkEnd, LinkListener } from "./link.js";
import { type SseMessage, SseParser } from "./sse-parser.js";

export interface SseRequest {
  url: string;
  token: string;
  fetch: typeof fetch;
}

/**
 * Follows an event stream with `fetch`. Not with EventSource: it cannot send the token as a header, hides the answer
 * of a refusal, gives out only events whose type is known beforehand, and reconnects on its own terms.
 */
export function openSse({ url, token, fetch }: SseRequest, listener: LinkListener): Link {
  const abort = new AbortController();
  let isLive = true;
  // What the server said before the stream ended.
  let announced: EndReason = "network";

  const end = (linkEnd: LinkEnd) => {
    if (!isLive) return;
    close();
    listener.onEnd(linkEnd);
  };

  function close() {
    isLive = false;
    abort.abort();
  }

  async function follow(): Promise<LinkEnd> {
    const response = await fetch(url, {
      headers: { accept: "text/event-stream", authorization: `Bearer ${token}` },
      cache: "no-store",
      credentials: "omit",
      signal: abort.signal,
    });
    if (!response.ok) return refusalOf(response);
    if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
      return { reason: "bad_response" };
    }

    const parser = new SseParser(onMessage);
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { reason: announced };
      listener.onActivity();
      parser.push(value);
    }
  }

  function onMessage(message: SseMessage) {
    if (!isLive) return;
    const { type, lastEventId, hasOwnId } = message;
    const data = parseJson(message.data);
    if (data === undefined) {
      return listener.onError({ code: "bad_message", message: `The data of "${type}" is not JSON` });
    }
    if (type === "connected" || type === "heartbeat") {
      if (lastEventId) listener.onPosition(lastEventId);
      if (type === "connected") listener.onConnected();
      return;
    }
    // Only events have an id of their own; so one whose own type happens to be `gap` is still an event.
    if (hasOwnId) return listener.onEvent({ id: lastEventId, type, data });
    onControl(type, Object(data));
  }

  function onControl(type: string, data: Record<string, unknown>) {
    if (type === "gap") return listener.onGap(data as unknown as Gap);
    if (type === "reconnect") {
      announced = "going_away";
      return listener.onReconnect(Number(data.retry_ms));
    }
    if (type === "error") {
      if (isRefusal(data.code)) announced = data.code;
      listener.onError({ code: String(data.code), message: String(data.message) });
    }
  }

  follow().then(end, () => end({ reason: announced }));
  return { close };
}

async function refusalOf(response: Response): Promise<LinkEnd> {
  const body = parseJson(await response.text()) as { error?: { code?: unknown } } | null | undefined;
  const reason = reasonOfStatus(response.status, body?.error?.code);
  const retryAfterSeconds = Number(response.headers.get("retry-after"));
  return retryAfterSeconds > 0 ? { reason, retryAfterMs: retryAfterSeconds * 1000 } : { reason };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
