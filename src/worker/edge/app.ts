import {
  App,
  type HttpRequest,
  type HttpResponse,
  SSLApp,
  type TemplatedApp,
  us_listen_socket_close,
} from "uWebSockets.js";
import { CHANNELS } from "../../protocol/channel.js";
import { RefusalError } from "../../protocol/errors.js";
import { Connections } from "./connections.js";
import { addConsole } from "./console.js";
import { type EdgeContext, refuse } from "./context.js";
import { OriginPolicy } from "./origin.js";
import { publishHandler } from "./publish.js";
import { respond, respondJson } from "./respond.js";
import type { EdgeServices } from "./services.js";
import { sseHandler } from "./sse.js";
import { SseAudience } from "./sse-audience.js";
import { statsHandler } from "./stats.js";
import { leaveMissedBehind, webSocketBehavior } from "./websocket.js";
import { WebSocketAudience } from "./websocket-audience.js";

/** Everything of a worker that clients can reach. */
export interface Edge {
  readonly connections: Connections;
  openAudience(topic: string, format: "sse" | "json" | "msgpack"): SseAudience | WebSocketAudience;
  /** Must be called before events are handed to the hub. */
  leaveMissedBehind(): void;
  /** @throws Error when the address is taken. */
  listen(): Promise<void>;
  /** No new connection is taken from now on. */
  stopListening(): Promise<void>;
  close(): void;
}

type Handler = (response: HttpResponse, request: HttpRequest) => unknown;

export function createEdge(services: EdgeServices): Edge {
  const { settings } = services;
  const { tls } = settings;
  const app = tls ? SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile }) : App();
  const context: EdgeContext = {
    services,
    connections: new Connections(settings),
    origins: new OriginPolicy(settings.corsOrigins),
    missed: new Map(),
  };
  addRoutes(app, context);

  let listening: Parameters<typeof us_listen_socket_close>[0] | null = null;
  const stopListening = () => {
    if (listening !== null) us_listen_socket_close(listening);
    listening = null;
  };
  // Right after the event loop has taken the connections that waited: closing resets those that still do.
  const stopListeningAfterAccept = () =>
    new Promise<void>((resolve) => {
      setImmediate(() => {
        stopListening();
        resolve();
      });
    });
  const publishText = (topic: string, frame: Uint8Array) => app.publish(topic, frame, false);
  const publishBinary = (topic: string, frame: Uint8Array) => app.publish(topic, frame, true);
  return {
    connections: context.connections,
    openAudience: (topic, format) => {
      if (format === "sse") return new SseAudience();
      return new WebSocketAudience(topic, format === "msgpack" ? publishBinary : publishText);
    },
    leaveMissedBehind: () => leaveMissedBehind(context),
    listen: () =>
      new Promise((resolve, reject) => {
        app.listen(settings.host, settings.port, (socket) => {
          if (socket === false) reject(new Error(`${settings.host}:${settings.port} cannot be listened on`));
          else {
            listening = socket;
            resolve();
          }
        });
      }),
    stopListening: stopListeningAfterAccept,
    close: () => {
      stopListening();
      app.close();
    },
  };
}

/** The table of all public paths. */
function addRoutes(app: TemplatedApp, context: EdgeContext): void {
  const { services, origins } = context;
  const { pathPrefix: prefix } = services.settings;
  const { sse, sseOrders, sseNotifications, ws, wsOrders } = CHANNELS;

  for (const channel of [sse, sseOrders, sseNotifications]) add("GET", channel.path, sseHandler(channel, context));
  for (const channel of [ws, wsOrders]) {
    app.ws(prefix + channel.path, webSocketBehavior(channel, context));
    add("GET", channel.path, (response, request) => {
      const refusal = new RefusalError("bad_request", "A WebSocket upgrade is expected here");
      refuse(context, response, refusal, request.getHeader("origin"));
    });
  }
  add("GET", "/ws/stats", statsHandler(context));
  add("POST", "/publish", publishHandler(context));
  add("GET", "/health", (response, request) => {
    const problems = services.problems();
    const healthy = problems.length === 0;
    const body = healthy ? { status: "healthy" } : { status: "unhealthy", problems };
    respondJson(response, healthy ? 200 : 503, origins.headers(request.getHeader("origin")), body);
  });
  if (services.settings.console) addConsole(app, prefix);
  app.any("/*", (response, request) => {
    refuse(context, response, new RefusalError("not_found"), request.getHeader("origin"));
  });

  function add(method: "GET" | "POST", path: string, handler: Handler): void {
    const allow = `${method}, OPTIONS`;
    if (method === "GET") app.get(prefix + path, (response, request) => void handler(response, request));
    else app.post(prefix + path, (response, request) => void handler(response, request));
    app.options(prefix + path, (response, request) => {
      respond(response, 204, origins.preflightHeaders(request.getHeader("origin"), allow), "");
    });
    app.any(prefix + path, (response, request) => {
      refuse(context, response, new RefusalError("method_not_allowed"), request.getHeader("origin"), { allow });
    });
  }
}
