import { createHash, randomBytes } from "node:crypto";
import * as http from "node:http";
import * as https from "node:https";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { closeFrame, FrameReader, maskedFrame, OPCODE } from "./websocket-frames.js";

export interface WebSocketOptions {
  readonly protocol: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Closes the connection. */
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

export type WebSocketOutcome =
  /** It was open, and was closed; 1005 without a code, 1006 without a close frame (RFC 6455 section 7.1.5). */
  | { readonly closeCode: number; readonly reason: string }
  /** It was refused. */
  | { readonly status: number; readonly body: string };

/** Milliseconds of silence after which the other side is taken for gone; the gateway's heartbeat is shorter. */
const SILENCE_MS = 120_000;
const HANDSHAKE_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * The smallest sound WebSocket client (RFC 6455), because Node 20 has none: it listens, and answers pings and closes.
 *
 * @returns how it ended
 * @throws Error when the server cannot be reached, or does not keep to the protocol
 */
export async function connectWebSocket(url: URL, options: WebSocketOptions): Promise<WebSocketOutcome> {
  const answer = await shakeHands(url, options);
  return "socket" in answer ? listen(answer.socket, answer.head, options) : answer;
}

type Opened = { readonly socket: Socket; readonly head: Buffer };
type Refused = { readonly status: number; readonly body: string };

function shakeHands(url: URL, { headers, protocol, signal }: WebSocketOptions): Promise<Opened | Refused> {
  const key = randomBytes(16).toString("base64");
  const { request: send } = url.protocol === "https:" ? https : http;
  const request = send(url, {
    headers: {
      ...headers,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": key,
      "sec-websocket-protocol": protocol,
    },
    timeout: SILENCE_MS,
  });
  const giveUp = () => request.destroy(new Error("given up"));
  signal.addEventListener("abort", giveUp, { once: true });
  const answer = new Promise<Opened | Refused>((resolve, reject) => {
    request.on("error", reject);
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("response", (response) => {
      text(response).then((body) => resolve({ status: response.statusCode!, body }), reject);
    });
    request.on("upgrade", (response, socket, head) => {
      const { "sec-websocket-accept": accept, "sec-websocket-protocol": chosen } = response.headers;
      const isAgreed = accept === acceptOf(key) && chosen === protocol;
      if (isAgreed) resolve({ socket: socket as Socket, head });
      else socket.destroy(new Error("the server does not speak our WebSocket protocol"));
      socket.on("error", reject);
    });
    request.end();
  });
  return answer.finally(() => signal.removeEventListener("abort", giveUp));
}

/** RFC 6455 section 4.2.2, item 5.4. */
function acceptOf(key: string): string {
  const hash = createHash("sha1").update(key + HANDSHAKE_KEY);
  return hash.digest("base64");
}

function listen(socket: Socket, head: Buffer, { signal, onText }: WebSocketOptions): Promise<WebSocketOutcome> {
  const frames = new FrameReader();
  let closed: WebSocketOutcome = { closeCode: 1006, reason: "" };

  function take(bytes: Buffer): void {
    for (const { opcode, data } of frames.push(bytes)) {
      if (opcode === OPCODE.text) onText(new TextDecoder("utf-8", { fatal: true }).decode(data));
      if (opcode === OPCODE.ping) socket.write(maskedFrame(OPCODE.pong, data));
      if (opcode === OPCODE.close) {
        closed = readClose(data);
        socket.end(maskedFrame(OPCODE.close, data.subarray(0, 2)));
        return;
      }
    }
  }

  return new Promise((resolve, reject) => {
    if (signal.aborted) socket.destroy();
    const leave = () => socket.end(closeFrame(1000), () => socket.destroy());
    signal.addEventListener("abort", leave, { once: true });
    socket.on("data", (bytes: Buffer) => {
      try {
        take(bytes);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error("silent for too long")));
    socket.on("error", reject);
    socket.on("close", () => {
      signal.removeEventListener("abort", leave);
      resolve(closed);
    });
    socket.unshift(head);
  });
}

function readClose(data: Buffer): WebSocketOutcome {
  if (data.length < 2) return { closeCode: 1005, reason: "" };
  return { closeCode: data.readUInt16BE(0), reason: data.subarray(2).toString() };
}
