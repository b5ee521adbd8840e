import type { Connections } from "./connections.js";
import type { OriginPolicy } from "./origin.js";
import type { EdgeServices } from "./services.js";
import type { WebSocketConnection } from "./websocket-connection.js";

/** What every endpoint works with. */
export interface EdgeContext {
  readonly services: EdgeServices;
  readonly connections: Connections;
  readonly origins: OriginPolicy;
  /**
   * Sockets that missed a message, because too much was unsent, and the first one's cursor. They must have left the hub
   * before the next event is published, or they would get it after the one they missed.
   */
  readonly missed: Map<WebSocketConnection, string>;
}
