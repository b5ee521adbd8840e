import type { HttpRequest, HttpResponse, us_socket_context_t, WebSocket, WebSocketBehavior } from "uWebSockets.js";
import type { Channel } from "../../protocol/channel.js";
import { closeCodeOf, RefusalError } from "../../protocol/errors.js";
import type { Identity } from "../../protocol/identity.js";
import {
  BEARER_PROTOCOL_PREFIX,
  cursorOfMessage,
  encodeServerMessage,
  JSON_PROTOCOL,
  MSGPACK_PROTOCOL,
  type WireFormat,
} from "../../protocol/websocket.js";
import { authorize } from "./authorize.js";
import { answerClientMessage } from "./client-message.js";
import { type EdgeContext, noteEnd, refuse } from "./context.js";
import { type RequestSnapshot, readTypes, snapshot } from "./request.js";
import { toRefusal } from "./respond.js";
import type { EdgeServices } from "./services.js";
import { WebSocketConnection } from "./websocket-connection.js";

/** What stands behind a socket: first a request that is being looked into, then a connection; neither once it closed. */
interface SocketData {
  readonly asked: RequestSnapshot;
  readonly format: WireFormat;
  readonly subscriptions: readonly string[];
  /** Why it is only accepted to be closed. */
  readonly refusal: RefusalError | null;
  connection: WebSocketConnection | null;
  isClosed: boolean;
  /** Messages that came before the connection stood. */
  early: Uint8Array[];
}

/** Larger than what a client may send, so that it is told `too_large` instead of being cut. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** Seconds of silence after which a socket is pinged, and closed when nothing comes back. */
const IDLE_SECONDS = 60;
/** Messages kept of a client that does not wait for `connected`. */
const MOST_EARLY_MESSAGES = 16;

/** `WS /ws` and its kin. */
export function webSocketBehavior(channel: Channel, context: EdgeContext): WebSocketBehavior<SocketData> {
  const { services, connections } = context;
  return {
    maxPayloadLength: MAX_PAYLOAD_BYTES,
    maxBackpressure: services.settings.maxBufferedBytes,
    idleTimeout: IDLE_SECONDS,
    sendPingsAutomatically: true,
    upgrade: (response, request, socketContext) => upgrade(response, request, socketContext, channel, context),
    open: (socket) => {
      const { refusal } = socket.getUserData();
      if (refusal === null) void admit(socket, channel, context);
      else sayGoodbye(socket, refusal, context);
    },
    message: (socket, bytes) => {
      const { connection, early } = socket.getUserData();
      if (connection !== null) answerClientMessage(connection, new Uint8Array(bytes), context);
      else if (early.length < MOST_EARLY_MESSAGES) early.push(new Uint8Array(bytes.slice(0)));
      else sayGoodbye(socket, new RefusalError("rate_limited"), context);
    },
    drain: (socket) => socket.getUserData().connection?.drained(),
    dropped: (socket, message) => {
      const { connection } = socket.getUserData();
      if (connection !== null) noteMissed(connection, new Uint8Array(message), context);
    },
    close: (socket, code, reason) => {
      const data = socket.getUserData();
      data.isClosed = true;
      const { connection } = data;
      if (connection === null) return;
      // First: the socket must not be touched from here on.
      connection.closed();
      if (code === ABNORMAL && Buffer.from(reason).toString() === TIMED_OUT) connections.timedOut(connection);
      connections.remove(connection);
      services.close(connection);
      services.release(connection);
      context.missed.delete(connection);
    },
  };
}

/** Sends away from the hub whoever missed a message. To be called before anything more is published. */
export function leaveMissedBehind(context: EdgeContext): void {
  for (const [connection, cursor] of context.missed) leaveBehind(connection, cursor, context);
  context.missed.clear();
}

/**
 * uWebSockets.js tells of every message it drops, in the middle of its own work: nothing can be done about it there. What
 * else this turn publishes is dropped as well.
 */
function noteMissed(connection: WebSocketConnection, message: Uint8Array, context: EdgeContext): void {
  if (context.missed.has(connection)) return;
  if (context.missed.size === 0) setImmediate(() => leaveMissedBehind(context));
  const cursor = cursorOfMessage(message, connection.format);
  if (cursor !== null) context.missed.set(connection, cursor);
}

function leaveBehind(connection: WebSocketConnection, cursor: string, { services, connections }: EdgeContext): void {
  connections.watchBacklog(connection);
  services.fallBehind(connection, cursor);
}

/** What uWebSockets.js calls a socket it closed for its silence. */
const ABNORMAL = 1006;
const TIMED_OUT = "WebSocket timed out from inactivity";

/**
 * Upgrades in this very turn, and looks at the token afterwards. A browser could not see why an upgrade was refused, so
 * who has no good token is to be accepted and then closed anyway; and an upgrade in a later turn, corked as it must be, is now and
 * then closed by uWebSockets.js (https://github.com/uNetworking/uWebSockets/issues/1928).
 */
function upgrade(
  response: HttpResponse,
  request: HttpRequest,
  socketContext: us_socket_context_t,
  channel: Channel,
  context: EdgeContext,
): void {
  const { services, connections, origins } = context;
  const asked = snapshot(request);
  try {
    origins.check(asked.origin);
    services.checkOpen();
    const subscriptions = readTypes(asked.query) ?? channel.initialSubscriptions;
    const refusal = connections.isOverloaded() ? new RefusalError("overloaded") : null;
    const protocol = chooseProtocol(asked.subprotocols);
    const format = protocol === MSGPACK_PROTOCOL ? "msgpack" : "json";
    const data: SocketData = { asked, format, subscriptions, refusal, connection: null, isClosed: false, early: [] };
    const key = request.getHeader("sec-websocket-key");
    response.upgrade(data, key, protocol, request.getHeader("sec-websocket-extensions"), socketContext);
  } catch (error) {
    const refusal = toRefusal(error, (defect) => services.log.error({ err: defect }, "an upgrade failed"));
    refuse(context, response, refusal, asked.origin);
  }
}

async function admit(socket: WebSocket<SocketData>, channel: Channel, context: EdgeContext): Promise<void> {
  const { services, connections } = context;
  const data = socket.getUserData();
  const { asked, format, subscriptions } = data;
  try {
    const identity = await authorize(asked, services.authenticate);
    await services.prepare(identity, format === "msgpack");
    if (data.isClosed) {
      services.release(identity);
      return;
    }
    refuseRevoked(identity, services);
    const messageRate = services.settings.clientMessageRate;
    const onBehind = (behind: WebSocketConnection, cursor: string) => leaveBehind(behind, cursor, context);
    const connection = new WebSocketConnection({
      socket,
      identity,
      channel,
      format,
      subscriptions,
      messageRate,
      onEnd: (ended, code) => noteEnd(context, ended, code),
      onBehind,
      onBacklog: (slow) => connections.watchBacklog(slow),
    });
    data.connection = connection;
    connections.add(connection);
    services.open(connection, asked.lastEventId);
    const { early } = data;
    data.early = [];
    for (const bytes of early) answerClientMessage(connection, bytes, context);
  } catch (error) {
    const refusal = toRefusal(error, (defect) => services.log.error({ err: defect }, "a socket could not be opened"));
    if (!data.isClosed) sayGoodbye(socket, refusal, context);
  }
}

/** @throws RefusalError `revoked`, having undone `prepare`. */
function refuseRevoked(identity: Identity, services: EdgeServices): void {
  try {
    services.refuseRevoked(identity);
  } catch (error) {
    services.release(identity);
    throw error;
  }
}

function sayGoodbye(socket: WebSocket<SocketData>, { code, message }: RefusalError, { services }: EdgeContext): void {
  services.refused(code);
  const { format } = socket.getUserData();
  socket.send(encodeServerMessage({ type: "error", code, message }, format), format === "msgpack");
  socket.end(closeCodeOf(code), message);
}

/**
 * The first subprotocol we know; else the one that carries the token, because a browser gives up when it offered some
 * and none was chosen (RFC 6455 section 4.1); else none.
 */
function chooseProtocol(offered: readonly string[]): string {
  const known = offered.find((name) => name === JSON_PROTOCOL || name === MSGPACK_PROTOCOL);
  return known ?? offered.find((name) => name.startsWith(BEARER_PROTOCOL_PREFIX)) ?? "";
}
