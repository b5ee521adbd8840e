import { connect } from "node:net";
import type { Redis } from "ioredis";
import { pack } from "msgpackr";
import type { WatchedGateway } from "./fuzz-gateway.ts";
import { mutate, mutateText } from "./mutate.ts";
import type { Random } from "./random.ts";

/** One attempt. @returns everything the gateway answered, and whether it let the attacker in. */
type Attack = (random: Random, target: Target) => Promise<string>;

export interface Target {
  readonly gateway: WatchedGateway;
  readonly redis: Redis;
  /** Of the attacker's own tenant, with the role publisher. */
  readonly token: string;
  /** A cursor of the attacker's own. */
  readonly cursor: string;
}

export const ATTACKER = "attacker";
/** Milliseconds an answer is waited for. */
const PATIENCE_MS = 150;
const PATHS = ["/stream", "/stream/orders", "/stream/notifications", "/ws", "/ws/orders", "/ws/stats", "/health", "/"];
const ITEM = '{"topic":"orders","event_type":"order_created","payload":{"a":[1,"x",null]},"event_id":"1"}';
const UPGRADE =
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

export const ATTACKS: Readonly<Record<string, Attack>> = {
  requests: async (random, { gateway, token }) => {
    const path = random.pick(PATHS);
    const upgrade = path.startsWith("/ws") && random.chance(2) ? UPGRADE : "";
    const head = `GET ${path}?types=a,b*&last_event_id=x HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost:3000\r\n`;
    const request = `${head}Authorization: Bearer ${token}\r\n${upgrade}\r\n`;
    return exchange(gateway, [mutate(random, Buffer.from(request))]);
  },

  bodies: async (random, { gateway, token }) => {
    const isLines = random.chance(3);
    const items = Array.from({ length: 1 + random.int(3) }, () => ITEM);
    const text = isLines ? items.join("\n") : `[${items.join(",")}]`;
    const body = mutate(random, Buffer.from(text));
    const type = isLines ? "application/x-ndjson" : "application/json";
    const head = `POST /publish HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nAuthorization: Bearer ${token}\r\n`;
    const length = random.chance(10) ? mutateText(random, String(body.length)) : String(body.length);
    return exchange(gateway, [Buffer.from(`${head}Content-Length: ${length}\r\n\r\n`, "latin1"), body]);
  },

  tokens: async (random, { gateway, token }) => {
    const shown = mutateText(random, token).replace(/[\r\n\0]/g, "");
    const inQuery = random.chance(2);
    const query = inQuery ? `?token=${encodeURIComponent(shown)}` : "";
    const header = inQuery ? "" : `Authorization: Bearer ${shown}\r\n`;
    const request = `GET ${random.pick(PATHS)}${query} HTTP/1.1\r\nHost: a\r\n${header}\r\n`;
    return exchange(gateway, [Buffer.from(request, "latin1")]);
  },

  cursors: async (random, { gateway, token, cursor }) => {
    const shown = encodeURIComponent(mutateText(random, cursor));
    const request = `GET /stream?last_event_id=${shown} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    return exchange(gateway, [Buffer.from(request, "latin1")]);
  },

  frames: async (random, { gateway, token }) => {
    const protocol = random.chance(2) ? "Sec-WebSocket-Protocol: ragline.msgpack.v1\r\n" : "";
    const request = `GET /ws HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n${UPGRADE}${protocol}\r\n`;
    const messages = [
      { type: "subscribe", subscriptions: ["a", "b*"] },
      { type: "ping" },
      { type: "get_stats" },
      { type: "refresh", token },
    ];
    const frames = Array.from({ length: 1 + random.int(4) }, () => {
      const message = random.pick(messages);
      const body = mutate(random, protocol === "" ? Buffer.from(JSON.stringify(message)) : pack(message));
      return random.chance(2) ? frame(random, body) : mutate(random, frame(random, body));
    });
    return exchange(gateway, [Buffer.from(request), ...frames]);
  },

  entries: async (random, { redis }) => {
    const values = { event_type: "order_created", tenant_id: ATTACKER, payload: '{"a":[1,"x",null]}' };
    const fields = random.chance(2)
      ? Object.entries(values).flat()
      : ["m", pack({ ...values, payload: { a: [1, "x", null] } })];
    const kept = random.int(fields.length);
    const mutated = fields.map((field, i) => (i === kept ? mutate(random, Buffer.from(field)) : field));
    const topic = random.pick(["orders", "notifications", "system"]);
    const partition = random.chance(2) ? "" : `:{${random.int(16)}}`;
    await redis.xadd(`ragline:stream:${topic}${partition}`, "*", ...mutated);
    return "";
  },

  revocations: async (random, { redis }) => {
    const until = String(Math.floor(Date.now() / 1000) + 60);
    const fields = ["op", "revoke", "tenant_id", "nobody", "user_id", "nobody", "jti", "x", "until", until];
    await redis.xadd("ragline:control", "*", ...fields.map((field) => mutate(random, Buffer.from(field))));
    return "";
  },
};

/** Sends the pieces over a connection of its own, and reads for a while. */
export function exchange(
  { port }: WatchedGateway,
  pieces: readonly Uint8Array[],
  patienceMs = PATIENCE_MS,
): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1" });
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(Buffer.concat(chunks).toString("latin1"));
    };
    const timer = setTimeout(end, patienceMs);
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", end).on("close", end);
    socket.on("connect", () => {
      for (const piece of pieces) socket.write(piece);
    });
  });
}

function frame(random: Random, body: Uint8Array): Buffer {
  const length = body.length;
  const first = random.chance(20) ? random.int(256) : 0x80 | random.pick([1, 2]);
  const size = length < 126 ? [0x80 | length] : [0xfe, (length >> 8) & 0xff, length & 0xff];
  const mask = random.bytes(4);
  const masked = Buffer.from(body).map((byte, i) => byte ^ mask[i % 4]!);
  return Buffer.concat([Buffer.from([first, ...size]), mask, masked]);
}
