import type { HttpRequest, HttpResponse, us_socket_context_t, WebSocket, WebSocketBehavior } from "uWebSockets.js";
import type { Channel } from "../../protocol/channel.js";
import { REFUSALS, RefusalError } from "../../protocol/errors.js";
import type { Identity } from "../../protocol/identity.js";
import {
  BEARER_PROTOCOL_PREFIX,
  encodeServerMessage,
  JSON_PROTOCOL,
  MSGPACK_PROTOCOL,
  type WireFormat,
} from "../../protocol/websocket.js";
import { authorize } from "./authorize.js";
import { answerClientMessage } from "./client-message.js";
import type { EdgeContext } from "./context.js";
import { type RequestSnapshot, readTypes, snapshot } from "./request.js";
import { refuse, toRefusal } from "./respond.js";
import { WebSocketConnection } from "./websocket-connection.js";

/** What stands behind an upgraded socket: a connection, or why there is none. */
type SocketData = { connection: WebSocketConnection } | { refusal: RefusalError; format: WireFormat };

/** Larger than what a client may send, so that it is told `too_large` instead of being cut. */
const MAX_PAYLOAD_BYTES = 256 * 1024;
/** Seconds of silence after which a socket is pinged, and closed when nothing comes back. */
const IDLE_SECONDS = 60;

/** `WS /ws` and its kin. */
export function webSocketBehavior(channel: Channel, context: EdgeContext): WebSocketBehavior<SocketData> {
  const { services, connections } = context;
  return {
    maxPayloadLength: MAX_PAYLOAD_BYTES,
    maxBackpressure: services.settings.maxBufferedBytes,
    idleTimeout: IDLE_SECONDS,
    sendPingsAutomatically: true,
    upgrade: (response, request, socketContext) => void upgrade(response, request, socketContext, channel, context),
    open: (socket) => {
      const data = socket.getUserData();
      if ("refusal" in data) {
        sayGoodbye(socket, data);
        return;
      }
      const { connection } = data;
      connection.opened(socket);
      connections.add(connection);
      services.open(connection, connection.lastEventId);
    },
    message: (socket, bytes) => {
      const data = socket.getUserData();
      if ("connection" in data) answerClientMessage(data.connection, new Uint8Array(bytes), context);
    },
    drain: (socket) => {
      const data = socket.getUserData();
      if ("connection" in data) data.connection.drained();
    },
    dropped: (socket) => {
      const data = socket.getUserData();
      if ("connection" in data) context.overLimit.add(data.connection);
    },
    close: (socket, code, reason) => {
      const data = socket.getUserData();
      if (!("connection" in data)) return;
      const { connection } = data;
      // First: the socket must not be touched from here on.
      connection.closed();
      if (code === ABNORMAL && Buffer.from(reason).toString() === TIMED_OUT) connections.countStale(connection);
      connections.remove(connection);
      services.close(connection);
      services.release(connection.tenant);
      context.overLimit.delete(connection);
    },
  };
}

/** What uWebSockets.js calls a socket it closed for its silence. */
const ABNORMAL = 1006;
const TIMED_OUT = "WebSocket timed out from inactivity";

async function upgrade(
  response: HttpResponse,
  request: HttpRequest,
  socketContext: us_socket_context_t,
  channel: Channel,
  context: EdgeContext,
): Promise<void> {
  let aborted = false;
  response.onAborted(() => {
    aborted = true;
  });
  const asked = snapshot(request);
  const key = request.getHeader("sec-websocket-key");
  const extensions = request.getHeader("sec-websocket-extensions");
  const { services, origins } = context;
  const protocol = chooseProtocol(asked.subprotocols);
  const format: WireFormat = protocol === MSGPACK_PROTOCOL ? "msgpack" : "json";
  const accept = (data: SocketData) =>
    response.cork(() => response.upgrade(data, key, protocol, extensions, socketContext));
  try {
    const data = await admit(asked, channel, format, context);
    if (!aborted) accept(data);
    else if ("connection" in data) services.release(data.connection.tenant);
  } catch (error) {
    const refusal = toRefusal(error, (defect) => services.log.error({ err: defect }, "a socket could not be opened"));
    if (!aborted) refuse(response, refusal, origins.headers(asked.origin));
  }
}

/** @throws RefusalError when the upgrade itself is to be refused. */
async function admit(
  asked: RequestSnapshot,
  channel: Channel,
  format: WireFormat,
  { services, connections, origins }: EdgeContext,
): Promise<SocketData> {
  origins.check(asked.origin);
  connections.admit();
  const subscriptions = readTypes(asked.query) ?? channel.initialSubscriptions;
  let identity: Identity;
  try {
    identity = await authorize(asked, services.authenticate);
  } catch (error) {
    // A browser cannot see why an upgrade failed, but it can see a close code: accept, then close.
    if (error instanceof RefusalError && "close" in REFUSALS[error.code]) return { refusal: error, format };
    throw error;
  }
  await services.prepare(identity.tenant, format === "msgpack");
  const { lastEventId } = asked;
  const messageRate = services.settings.clientMessageRate;
  const connection = new WebSocketConnection({
    identity,
    channel,
    format,
    subscriptions,
    lastEventId,
    messageRate,
  });
  return { connection };
}

function sayGoodbye(
  socket: WebSocket<unknown>,
  { refusal, format }: { refusal: RefusalError; format: WireFormat },
): void {
  const { code, message } = refusal;
  socket.send(encodeServerMessage({ type: "error", code, message }, format), format === "msgpack");
  const { close } = REFUSALS[code] as { close: number };
  socket.end(close, message);
}

/**
 * The first subprotocol we know; else the one that carries the token, because a browser gives up when it offered some
 * and none was chosen (RFC 6455 section 4.1); else none.
 */
function chooseProtocol(offered: readonly string[]): string {
  const known = offered.find((name) => name === JSON_PROTOCOL || name === MSGPACK_PROTOCOL);
  return known ?? offered.find((name) => name.startsWith(BEARER_PROTOCOL_PREFIX)) ?? "";
}
