import { REFUSALS, type RefusalCode, RefusalError } from "../protocol/errors.js";

/** Something the gateway said. */
export interface Message {
  readonly kind: "connected" | "event" | "gap" | "reconnect" | "error" | "other";
  /** Where the connection stands after it. */
  readonly id: string | undefined;
  /** Of an event: `id`, `event_type`, `data`, and over WebSocket more. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface FollowOptions {
  readonly url: URL;
  readonly token: string;
  readonly lastEventId: string | undefined;
  readonly signal: AbortSignal;
  readonly onMessage: (message: Message) => void;
}

/**
 * Follows one connection to its end. Resolves when the gateway ends it without an error, rejects with a RefusalError
 * when it refuses or ends it with one, and with another error when the connection fails or is given up.
 */
export type Follow = (options: FollowOptions) => Promise<undefined>;

export function requestHeaders({ token, lastEventId }: FollowOptions): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
  };
}

/** What an HTTP answer that refuses the connection says. */
export function refusalIn(status: number, body: string): Error {
  try {
    return toRefusal((JSON.parse(body) as { error: Record<string, unknown> }).error);
  } catch {
    return new Error(`not a gateway's answer, HTTP status ${status}`);
  }
}

/** From the `code` and `message` of an error. */
export function toRefusal({ code, message }: Readonly<Record<string, unknown>>): RefusalError {
  if (typeof code !== "string" || !Object.hasOwn(REFUSALS, code)) throw new Error(`unknown refusal ${code}`);
  return new RefusalError(code as RefusalCode, String(message));
}
