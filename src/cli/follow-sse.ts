import { SseParser } from "../browser/sse-parser.js";
import { type Follow, type Message, refusalIn, requestHeaders, toRefusal } from "./follow.js";

/** Event names that are the gateway's own; every other one is an event's type. */
const OWN_NAMES: Readonly<Record<string, Message["kind"]>> = {
  connected: "connected",
  gap: "gap",
  reconnect: "reconnect",
  error: "error",
  heartbeat: "other",
};

export const followSse: Follow = async (options) => {
  const { url, signal, onMessage } = options;
  const headers = { ...requestHeaders(options), accept: "text/event-stream" };
  const response = await fetch(url, { headers, signal });
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  if (!response.ok || !isStream || response.body === null) throw refusalIn(response.status, await response.text());

  let lastError: Message | undefined;
  const parser = new SseParser(({ type, data, lastEventId, hasOwnId }) => {
    const message = read(type, JSON.parse(data), hasOwnId ? lastEventId : undefined);
    if (message.kind === "error") lastError = message;
    onMessage(message);
  });
  for await (const chunk of response.body) parser.push(chunk);
  if (lastError !== undefined) throw toRefusal(lastError.data);
  return undefined;
};

function read(type: string, data: unknown, id: string | undefined): Message {
  const kind = Object.hasOwn(OWN_NAMES, type) ? OWN_NAMES[type]! : "event";
  if (kind === "event") return { kind, id, data: { id, event_type: type, data } };
  return { kind, id, data: data as Message["data"] };
}
