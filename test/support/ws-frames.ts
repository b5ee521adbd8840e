import { randomBytes } from "node:crypto";
import type { Test } from "tap";
import type { Gateway } from "./gateway.ts";
import { openRaw, type RawSocket } from "./raw-socket.ts";

export interface FrameOptions {
  readonly fin?: boolean;
  /** RSV1 to RSV3 as bits 4, 2 and 1. */
  readonly rsv?: number;
  readonly masked?: boolean;
  /** What the header says, whatever the payload is. */
  readonly length?: bigint;
}

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A frame (RFC 6455 section 5.2) as a client sends it, right or wrong. */
export function frame(opcode: number, payload: string | Uint8Array, options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, masked = true } = options;
  const body = Buffer.from(payload);
  const length = options.length ?? BigInt(body.length);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  const masking = masked ? 0x80 : 0;
  const head = Buffer.concat([Buffer.from([first]), lengthField(length, masking, options.length !== undefined), mask]);
  return Buffer.concat([head, masked ? body.map((byte, i) => byte ^ mask[i % 4]!) : body]);
}

function lengthField(length: bigint, masking: number, forceLong: boolean): Buffer {
  if (!forceLong && length < 126n) return Buffer.from([masking | Number(length)]);
  if (!forceLong && length < 65_536n) return Buffer.from([masking | 126, Number(length >> 8n), Number(length & 0xffn)]);
  const field = Buffer.alloc(9);
  field[0] = masking | 127;
  field.writeBigUInt64BE(length, 1);
  return field;
}

/** An upgraded connection whose frames the test writes itself. Resolves after `connected`. */
export async function openRawWs(t: Test, gateway: Gateway, token: string): Promise<RawSocket> {
  const socket = await openRaw(t, gateway.port);
  const key = randomBytes(16).toString("base64");
  socket.send(
    `GET /ws HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${token}\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  await socket.receives(/"type":"connected"/);
  return socket;
}
