import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { unpack } from "msgpackr";
import type { Test } from "tap";
import { type RawData, WebSocket } from "ws";
import { Inbox } from "./inbox.ts";

export interface WsMessage {
  readonly type: string;
  readonly id?: string;
  readonly [key: string]: unknown;
}

export interface WsOptions {
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
}

export interface WsClient {
  /** The subprotocol chosen by the server; "" for none. */
  readonly protocol: string;
  readonly inbox: Inbox<WsMessage>;
  next(accepts?: (message: WsMessage) => boolean, waitMs?: number): Promise<WsMessage>;
  /** As one text frame of JSON. */
  send(message: unknown): void;
  /** Text as a text frame, bytes as a binary one. */
  sendRaw(frame: string | Uint8Array): void;
  pause(): void;
  resume(): void;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  close(): void;
  /** Cuts the TCP connection without a word. */
  terminate(): void;
}

/** The server answered the upgrade with an HTTP response. */
export class UpgradeRefused extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`upgrade refused with ${status}: ${body}`);
    this.status = status;
    this.body = body;
  }
}

/** @throws UpgradeRefused */
export async function openWs(t: Test, url: string, options: WsOptions = {}): Promise<WsClient> {
  const { token, headers, protocols = [] } = options;
  const socket = new WebSocket(url.replace(/^http/, "ws"), [...protocols], {
    headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    handshakeTimeout: 20_000,
  });
  t.teardown(() => socket.terminate());
  const client = follow(socket);
  await new Promise<void>((resolve, reject) => {
    socket.on("open", resolve);
    socket.on("error", reject);
    socket.on("unexpected-response", (_request, response: IncomingMessage) => {
      text(response).then((body) => reject(new UpgradeRefused(response.statusCode!, body)), reject);
    });
  });
  return client;
}

function follow(socket: WebSocket): WsClient {
  const inbox = new Inbox<WsMessage>();
  socket.on("message", (data: RawData, isBinary: boolean) => {
    const expectsBinary = socket.protocol === "ragline.msgpack.v1";
    if (isBinary !== expectsBinary) inbox.end(`a ${isBinary ? "binary" : "text"} frame under "${socket.protocol}"`);
    else inbox.push((isBinary ? unpack(data as Buffer) : JSON.parse(String(data))) as WsMessage);
  });
  socket.on("error", (error) => inbox.end(`the WebSocket failed: ${error.message}`));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: String(reason) }));
  });
  void closed.then(({ code, reason }) => inbox.end(`the WebSocket was closed with ${code} "${reason}"`));
  return {
    get protocol() {
      return socket.protocol;
    },
    inbox,
    next: (accepts, waitMs) => inbox.next(accepts, waitMs),
    send: (message) => socket.send(JSON.stringify(message)),
    sendRaw: (frame) => socket.send(frame),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    closed,
    close: () => socket.close(1000),
    terminate: () => socket.terminate(),
  };
}
