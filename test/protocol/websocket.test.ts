import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { packMessage, unpackMessage } from "../../src/protocol/msgpack.ts";
import {
  cursorOfMessage,
  encodeServerMessage,
  MAX_CLIENT_MESSAGE_BYTES,
  parseClientMessage,
  type ServerMessage,
  type WireFormat,
} from "../../src/protocol/websocket.ts";

const fromText = (text: string) => parseClientMessage(Buffer.from(text), "json");

/** The message through both formats. */
function fromBoth(message: unknown): unknown[] {
  return [fromText(JSON.stringify(message)), parseClientMessage(packMessage(message), "msgpack")];
}

t.test("the four messages of a client are read in both formats", async (t) => {
  for (const parsed of fromBoth({ type: "subscribe", subscriptions: ["a", "b*"] })) {
    t.strictSame(parsed, { type: "subscribe", subscriptions: ["a", "b*"] });
  }
  for (const parsed of fromBoth({ type: "refresh", token: "t" })) t.strictSame(parsed, { type: "refresh", token: "t" });
  for (const type of ["ping", "get_stats"]) for (const parsed of fromBoth({ type })) t.strictSame(parsed, { type });
});

t.test("what a message does not need is dropped, what it misses is undefined", async (t) => {
  for (const parsed of fromBoth({ type: "ping", subscriptions: ["x"], extra: 1 }))
    t.strictSame(parsed, { type: "ping" });
  for (const parsed of fromBoth({ type: "subscribe" })) {
    t.strictSame(parsed, { type: "subscribe", subscriptions: undefined });
  }
});

t.test("text that is no JSON object is an invalid message", async (t) => {
  for (const text of ["", "ping", "{", "null", "5", '"ping"', "[]", '[{"type":"ping"}]', "{} {}", "\0"]) {
    t.strictSame(fromText(text), { problem: "Invalid JSON message" }, JSON.stringify(text));
  }
  t.strictSame(parseClientMessage(Uint8Array.of(0x22, 0xff, 0x22), "json"), { problem: "Invalid JSON message" });
});

t.test("bytes that are no MessagePack map are an invalid message", async (t) => {
  for (const packed of [[], [0xc0], [0x05], [0x90], [0x81], [0x80, 0x80], [0xa1, 0x61]]) {
    const parsed = parseClientMessage(Uint8Array.from(packed), "msgpack");
    t.strictSame(parsed, { problem: "Invalid MessagePack message" }, JSON.stringify(packed));
  }
});

t.test("an unknown type is named, as far as it goes", async (t) => {
  const named: [unknown, string][] = [
    ["unsubscribe", "unsubscribe"],
    ["", ""],
    [undefined, "undefined"],
    [null, "null"],
    [7, "7"],
    [true, "true"],
    [["ping"], "object"],
    [{ type: "ping" }, "object"],
    ["x".repeat(10_000), "x".repeat(64)],
  ];
  for (const [type, name] of named) {
    t.strictSame(fromText(JSON.stringify({ type })), { problem: `Unknown message type: ${name}` });
  }
  for (const type of ["toString", "__proto__", "constructor", "PING"]) {
    t.strictSame(fromText(JSON.stringify({ type })), { problem: `Unknown message type: ${type}` });
  }
  const large = Uint8Array.of(0x81, 0xa4, 0x74, 0x79, 0x70, 0x65, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  t.strictSame(parseClientMessage(large, "msgpack"), { problem: "Unknown message type: 18446744073709551615" });
});

t.test("a type in a prototype is none", async (t) => {
  t.strictSame(fromText('{"__proto__":{"type":"ping"}}'), { problem: "Unknown message type: undefined" });
  const packed = packMessage(JSON.parse('{"__proto__":{"type":"ping"}}'));
  t.strictSame(parseClientMessage(packed, "msgpack"), { problem: "Unknown message type: undefined" });
});

t.test("the deepest nesting that fits a message is answered like any other nonsense", async (t) => {
  const depth = MAX_CLIENT_MESSAGE_BYTES / 2 - 10;
  t.match(fromText(`{"type":${"[".repeat(depth)}${"]".repeat(depth)}}`), { problem: /^Unknown message type/ });
  t.match(fromText("[".repeat(MAX_CLIENT_MESSAGE_BYTES)), { problem: "Invalid JSON message" });
  const packed = Buffer.concat([
    Buffer.from([0x81, 0xa4]),
    Buffer.from("type"),
    Buffer.alloc(16_000, 0x91),
    Buffer.from([1]),
  ]);
  t.match(parseClientMessage(packed, "msgpack"), { problem: /./ });
});

t.test("any bytes at all are a message or a problem of bounded length", async (t) => {
  const key = fc.constantFrom("type", "subscriptions", "token", "__proto__", "x");
  const type = fc.oneof(fc.constantFrom("subscribe", "ping", "refresh"), fc.anything({ withBigInt: true }));
  const likely = fc.oneof(fc.dictionary(key, type), fc.anything());
  const asText = likely.map((value) => {
    try {
      return Buffer.from(JSON.stringify(value) ?? "");
    } catch {
      return Buffer.from("{");
    }
  });
  const asPacked = fc.tuple(type, fc.nat(), fc.nat(255)).map(([type, at, byte]) => {
    try {
      const packed = packMessage({ type });
      return packed.with(at % packed.length, byte);
    } catch {
      return Buffer.from([0x80]);
    }
  });
  const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), asText, asPacked);
  fc.assert(
    fc.property(anyBytes, fc.constantFrom<WireFormat>("json", "msgpack"), (bytes, format) => {
      const parsed = parseClientMessage(bytes, format);
      if ("problem" in parsed) assert.ok(parsed.problem.length <= 100);
      else assert.ok(["subscribe", "refresh", "ping", "get_stats"].includes(parsed.type));
    }),
    { numRuns: 2_000 },
  );
  t.pass("for all bytes tried");
});

t.test("the server says the same in both formats, text in one and bytes in the other", async (t) => {
  const timestamp = "2024-05-01T12:00:00.000Z";
  const messages: ServerMessage[] = [
    {
      type: "connected",
      id: "1A.abc.",
      data: { client_id: "c", tenant_id: "é", user_id: "u", timestamp, subscriptions: ["order_*"] },
      stream: "orders",
    },
    { type: "subscription_updated", subscriptions: [], timestamp },
    { type: "gap", stream: "orders", reason: "trimmed", from: "1-0" },
    { type: "refreshed", expires_at: 1_700_000_000 },
    { type: "error", code: "bad_request", message: "Invalid JSON message" },
  ];
  for (const message of messages) {
    const [text, packed] = [encodeServerMessage(message, "json"), encodeServerMessage(message, "msgpack")];
    t.strictSame(JSON.parse(text as string), message);
    t.strictSame(unpackMessage(packed as Uint8Array), message);
  }
});

t.test("a message of ours that was not sent still tells its id, if it has one", async (t) => {
  const timestamp = "2024-05-01T12:00:00.000Z";
  for (const format of ["json", "msgpack"] as const) {
    const bytesOf = (message: ServerMessage) => Buffer.from(encodeServerMessage(message, format) as string);
    t.equal(cursorOfMessage(bytesOf({ type: "ping", id: "1A.abc.", timestamp }), format), "1A.abc.");
    t.equal(cursorOfMessage(bytesOf({ type: "pong", timestamp }), format), null);
    t.equal(cursorOfMessage(new Uint8Array(0), format), null);
  }
});
