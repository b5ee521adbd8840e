import { REFUSALS, type Refusal, type RefusalCode } from "../protocol/errors.js";
import { JSON_PROTOCOL } from "../protocol/websocket.js";
import { type Follow, type Message, refusalIn, requestHeaders, toRefusal } from "./follow.js";
import { connectWebSocket } from "./websocket-client.js";

const KINDS: Readonly<Record<string, Message["kind"]>> = {
  connected: "connected",
  event: "event",
  order_event: "event",
  gap: "gap",
  reconnect: "reconnect",
  error: "error",
};

export const followWebSocket: Follow = async (options) => {
  let lastError: Message | undefined;
  const outcome = await connectWebSocket(options.url, {
    protocol: JSON_PROTOCOL,
    headers: requestHeaders(options),
    signal: options.signal,
    onText: (text) => {
      const message = read(JSON.parse(text));
      if (message.kind === "error") lastError = message;
      options.onMessage(message);
    },
  });
  if ("status" in outcome) throw refusalIn(outcome.status, outcome.body);
  const code = codeOfClose(outcome.closeCode);
  if (code !== undefined)
    throw toRefusal(lastError?.data ?? { code, message: outcome.reason || REFUSALS[code].message });
  return undefined;
};

function read({ type, ...data }: Record<string, unknown>): Message {
  const kind = Object.hasOwn(KINDS, String(type)) ? KINDS[String(type)]! : "other";
  return { kind, id: typeof data.id === "string" ? data.id : undefined, data };
}

/** The first refusal that closes with this code: those that share one ask the same of a client. */
function codeOfClose(closeCode: number): RefusalCode | undefined {
  const refusals = Object.entries<Refusal>(REFUSALS) as [RefusalCode, Refusal][];
  return refusals.find(([, { close }]) => close === closeCode)?.[0];
}
