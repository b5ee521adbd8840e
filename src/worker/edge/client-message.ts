import { RefusalError } from "../../protocol/errors.js";
import { makeFilter, parseSubscriptions } from "../../protocol/filter.js";
import { MAX_CLIENT_MESSAGE_BYTES, parseClientMessage } from "../../protocol/websocket.js";
import type { EdgeContext } from "./context.js";
import { toRefusal } from "./respond.js";
import { gatewayStatistics } from "./stats.js";
import type { WebSocketConnection } from "./websocket-connection.js";

/** Answers one message of a client. A message that makes no sense costs an `error`, not the connection. */
export function answerClientMessage(connection: WebSocketConnection, bytes: Uint8Array, context: EdgeContext): void {
  if (!connection.messages.take(performance.now())) connection.end("rate_limited");
  else if (bytes.length > MAX_CLIENT_MESSAGE_BYTES) connection.end("too_large", "A message has at most 16 KiB");
  else answer(connection, bytes, context).catch((error) => sayRefusal(connection, error, context));
}

async function answer(connection: WebSocketConnection, bytes: Uint8Array, context: EdgeContext): Promise<void> {
  const message = parseClientMessage(bytes, connection.format);
  if ("problem" in message) throw new RefusalError("bad_request", message.problem);
  const timestamp = new Date().toISOString();
  switch (message.type) {
    case "ping":
      connection.say({ type: "pong", timestamp });
      return;
    case "subscribe":
      subscribe(connection, message.subscriptions, context);
      return;
    case "get_stats": {
      const data = gatewayStatistics(await context.services.statistics(), connection);
      connection.say({ type: "stats", data, timestamp });
      return;
    }
    case "refresh":
      await refresh(connection, message.token, context);
      return;
  }
}

function subscribe(connection: WebSocketConnection, wanted: unknown, { services }: EdgeContext): void {
  const patterns = parseSubscriptions(wanted);
  if ("problem" in patterns) throw new RefusalError("bad_request", patterns.problem);
  connection.subscriptions = patterns;
  services.changeFilter(connection, makeFilter(patterns));
  connection.say({ type: "subscription_updated", subscriptions: patterns, timestamp: new Date().toISOString() });
}

/** A new token extends the life of a connection, for the same tenant and user only. */
async function refresh(connection: WebSocketConnection, token: unknown, context: EdgeContext): Promise<void> {
  if (typeof token !== "string") throw new RefusalError("bad_request", "token must be text");
  const identity = await context.services.authenticate(token);
  const { tenant, user, expiresAt } = identity;
  if (tenant !== connection.tenant || user !== connection.user) throw new RefusalError("forbidden");
  if (connection.isClosed) return;
  context.services.refuseRevoked(identity);
  context.connections.extend(connection, () => connection.showNewToken(identity));
  connection.say({ type: "refreshed", expires_at: expiresAt });
}

function sayRefusal(connection: WebSocketConnection, error: unknown, { services }: EdgeContext): void {
  const { tenant, id } = connection;
  const { code, message } = toRefusal(error, (defect) =>
    services.log.error({ err: defect, tenant, connection: id }, "a client's message could not be answered"),
  );
  services.refused(code);
  connection.say({ type: "error", code, message });
}
