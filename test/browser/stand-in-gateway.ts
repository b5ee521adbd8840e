import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { Transport } from "../../src/browser/client.ts";
import { Inbox } from "../support/inbox.ts";

/** A visit of the client: one request for a stream, answered by the test step by step. */
export abstract class Visit {
  readonly path: string;
  readonly query: URLSearchParams;
  abstract readonly transport: Transport;
  abstract readonly token: string | undefined;
  /** Settles once the connection is over, whoever ended it. */
  readonly over: Promise<unknown>;
  protected readonly socket: Socket;

  constructor(request: IncomingMessage) {
    const url = new URL(request.url ?? "", "http://stand-in");
    this.path = url.pathname;
    this.query = url.searchParams;
    this.socket = request.socket;
    this.over = once(request.socket, "close");
  }

  /** Accepts, and sends `connected`. */
  abstract connected(id: string): Promise<void>;
  abstract event(id: string, type: string, data: unknown): void;
  abstract heartbeat(id: string): void;
  abstract gap(gap: Record<string, string>): void;
  abstract reconnect(retryMs: number): void;
  /** Ends it as the gateway does for this code, before or after `connected`. */
  abstract refuse(code: keyof typeof REFUSALS, retryAfterSeconds?: number): Promise<void>;

  /** Cuts it without a word. */
  cut(): void {
    this.socket.destroy();
  }
}

const REFUSALS = {
  token_invalid: { status: 401, closeCode: 1008 },
  token_expired: { status: 401, closeCode: 4401 },
  forbidden: { status: 403, closeCode: 1008 },
  revoked: { status: 401, closeCode: 4403 },
  quota_exceeded: { status: 429, closeCode: 4429 },
  overloaded: { status: 503, closeCode: 1013 },
  going_away: { status: 503, closeCode: 1012 },
} as const;

class SseVisit extends Visit {
  readonly transport = "sse";
  readonly token: string | undefined;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    super(request);
    this.token = request.headers.authorization?.replace("Bearer ", "");
    this.#response = response;
  }

  async connected(id: string): Promise<void> {
    this.#response.writeHead(200, { "content-type": "text/event-stream" });
    this.#response.write("retry: 3000\n\n");
    this.#send("connected", { tenant_id: "acme" }, id);
  }

  event(id: string, type: string, data: unknown): void {
    this.#send(type, data, id);
  }

  heartbeat(id: string): void {
    this.#send("heartbeat", { tenant_id: "acme" }, id);
  }

  gap(gap: Record<string, string>): void {
    this.#send("gap", gap);
  }

  reconnect(retryMs: number): void {
    this.#send("reconnect", { reason: "going_away", retry_ms: retryMs });
  }

  async refuse(code: keyof typeof REFUSALS, retryAfterSeconds?: number): Promise<void> {
    const error = { code, message: `Refused: ${code}` };
    if (this.#response.headersSent) {
      // On a drain, `reconnect` has said it already.
      if (code !== "going_away") this.#send("error", error);
    } else {
      if (retryAfterSeconds !== undefined) this.#response.setHeader("retry-after", String(retryAfterSeconds));
      this.#response.writeHead(REFUSALS[code].status, { "content-type": "application/json" });
      this.#response.write(JSON.stringify({ error }));
    }
    this.#response.end();
  }

  #send(event: string, data: unknown, id?: string): void {
    this.#response.write(`event: ${event}\n${id ? `id: ${id}\n` : ""}data: ${JSON.stringify(data)}\n\n`);
  }
}

export class WebSocketVisit extends Visit {
  readonly transport = "ws";
  readonly token: string | undefined;
  /** What the client has sent, parsed. */
  readonly received = new Inbox<unknown>();
  readonly #upgrade: () => Promise<WebSocket>;
  #webSocket: WebSocket | undefined;

  constructor(request: IncomingMessage, upgrade: () => Promise<WebSocket>) {
    super(request);
    const offered = request.headers["sec-websocket-protocol"]?.split(/, */) ?? [];
    this.token = offered.find((name) => name.startsWith("ragline.bearer."))?.replace("ragline.bearer.", "");
    this.#upgrade = upgrade;
  }

  async connected(id: string): Promise<void> {
    await this.#accept();
    this.#send({ type: "connected", id, data: { tenant_id: "acme", subscriptions: [] } });
  }

  event(id: string, type: string, data: unknown): void {
    const event = { type: "event", id, event_type: type, data };
    this.#send({ ...event, topic: "orders", timestamp: "2025-01-01T00:00:00Z", event_id: `e-${id}` });
  }

  heartbeat(id: string): void {
    this.#send({ type: "ping", id, timestamp: "2025-01-01T00:00:00Z" });
  }

  gap(gap: Record<string, string>): void {
    this.#send({ type: "gap", ...gap });
  }

  reconnect(retryMs: number): void {
    this.#send({ type: "reconnect", reason: "going_away", retry_ms: retryMs });
  }

  async refuse(code: keyof typeof REFUSALS): Promise<void> {
    await this.#accept();
    this.#send({ type: "error", code, message: `Refused: ${code}` });
    this.#webSocket?.close(REFUSALS[code].closeCode, code);
  }

  async #accept(): Promise<void> {
    if (this.#webSocket) return;
    this.#webSocket = await this.#upgrade();
    this.#webSocket.on("message", (text) => this.received.push(JSON.parse(String(text))));
  }

  #send(message: Record<string, unknown>): void {
    this.#webSocket?.send(JSON.stringify(message));
  }
}

/** Takes the gateway's place: speaks its SSE and WebSocket, and leaves every decision to the test. */
export interface StandInGateway {
  /** With a path prefix, as behind a proxy. */
  url: string;
  /** All visits, in order. */
  visits: Inbox<Visit>;
  stop(): Promise<void>;
}

/** @param options.webSockets false: upgrades are cut, like a proxy that lets no WebSocket pass */
export async function startStandIn({ webSockets = true } = {}): Promise<StandInGateway> {
  const visits = new Inbox<Visit>();
  const sockets = new Set<Socket>();
  const webSocketServer = new WebSocketServer({ noServer: true });
  const server = createServer((request, response) => visits.push(new SseVisit(request, response)));
  server.on("connection", (socket) => sockets.add(socket));
  server.on("upgrade", (request, socket: Socket, head) => {
    if (!webSockets) {
      socket.destroy();
      return;
    }
    // An upgraded socket is paused and half open: without these it would not notice that the client has left.
    socket.on("end", () => socket.end());
    socket.resume();
    const upgrade = () =>
      new Promise<WebSocket>((resolve) => webSocketServer.handleUpgrade(request, socket, head, resolve));
    visits.push(new WebSocketVisit(request, upgrade));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/events/`,
    visits,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
