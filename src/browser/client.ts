import type { Connection, ConnectOptions } from "./options.js";
import { Session } from "./session.js";

export type { Channel } from "./endpoint.js";
export type { Gap, GatewayError, GatewayEvent, Transport } from "./link.js";
export type { Connection, ConnectionState, ConnectOptions, StateChange, StateReason } from "./options.js";
export type { WebSocketConstructor, WebSocketLike } from "./websocket-transport.js";

/**
 * Follows the events of a token's tenant, over WebSocket or SSE, in browsers and in Node (20: see the option
 * `WebSocket`). It reconnects by itself, goes on from the last id it saw, and gives every event once; what cannot be
 * given any more is told through `onGap`. It ends when `close` is called or when trying again makes no sense, which
 * `onState` tells with the state `closed` and a reason.
 *
 * @throws TypeError when `url` is not http(s), or the transport is not available for the channel or in this runtime
 */
export function connect(options: ConnectOptions): Connection {
  return new Session(options);
}
