import type { HttpResponse } from "uWebSockets.js";
import type { RefusalCode, RefusalError } from "../../protocol/errors.js";
import type { Connections } from "./connections.js";
import type { OriginPolicy } from "./origin.js";
import { type Headers, respondRefusal } from "./respond.js";
import type { EdgeConnection, EdgeServices } from "./services.js";
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

/** Answers a request from this origin with a refusal, and counts it. Must not be called once the response was aborted. */
export function refuse(
  { services, origins }: EdgeContext,
  response: HttpResponse,
  refusal: RefusalError,
  origin: string,
  more: Headers = {},
): void {
  services.refused(refusal.code);
  respondRefusal(response, refusal, { ...origins.headers(origin), ...more });
}

/** Takes note that the gateway ended a connection. */
export function noteEnd({ services }: EdgeContext, { tenant, id }: EdgeConnection, code: RefusalCode): void {
  services.refused(code);
  services.log.debug({ tenant, connection: id, code }, "a connection was ended");
}
