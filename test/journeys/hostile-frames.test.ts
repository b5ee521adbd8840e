import { pack } from "msgpackr";
import t, { type Test } from "tap";
import { follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { openWs } from "../support/ws-client.ts";
import { frame, OPCODES, openRawWs } from "../support/ws-frames.ts";
import { addEvent } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);
const tenant = newTenant();
const token = gateway.token({ tenant });
const healthy = await Promise.all((["/stream", "/ws"] as const).map((path) => follow(t, gateway, path, { token })));
let marker = 0;

async function stillWhole(t: Test): Promise<void> {
  const payload = `marker ${++marker}`;
  await addEvent(redis, { tenant_id: tenant, payload });
  for (const follower of healthy) t.equal((await follower.next()).data, payload, follower.endpoint);
}

const { text, binary, continuation, close, ping, pong } = OPCODES;
const PING = '{"type":"ping"}';

/** RFC 6455 sections 5.1 to 5.5, 7.4.1 and 8.1: after each of these the connection has to be failed. */
const FATAL: readonly (readonly [what: string, frames: () => Buffer])[] = [
  ...[1, 2, 3, 4, 5, 6, 7].map((rsv) => [`reserved bits ${rsv}`, () => frame(text, PING, { rsv })] as const),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((code) => [`reserved opcode ${code}`, () => frame(code, "x")] as const),
  ["a fragmented ping", () => frame(ping, "x", { fin: false })],
  ["a ping of 126 bytes", () => frame(ping, "x".repeat(126))],
  ["a continuation of nothing", () => frame(continuation, "x")],
  ["a message within a message", () => Buffer.concat([frame(text, "{", { fin: false }), frame(text, "}")])],
  ["a length of 2^63", () => frame(text, "x", { length: 2n ** 63n })],
  ["a length of 2^63 - 1", () => frame(text, "x", { length: 2n ** 63n - 1n })],
  ["a length of 1 GiB", () => frame(binary, "x", { length: 2n ** 30n })],
  ["text that is no UTF-8", () => frame(text, Uint8Array.from([0xc3, 0x28]))],
  ["text with half a surrogate", () => frame(text, Uint8Array.from([0x22, 0xed, 0xa0, 0x80, 0x22]))],
  ["a close of one byte", () => frame(close, "x")],
  ["a close with a code of nobody", () => frame(close, Uint8Array.from([0x03, 0xec]))],
  ["a close whose reason is no UTF-8", () => frame(close, Uint8Array.from([0x03, 0xe8, 0xff]))],
  ["16 KiB and one byte", () => frame(text, "x".repeat(16 * 1024 + 1))],
  [
    "16 KiB and more in pieces",
    () => Buffer.concat([frame(text, "x".repeat(9_000), { fin: false }), frame(continuation, "x".repeat(9_000))]),
  ],
  ["noise", () => Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * 7919 + 3) % 256))],
];

t.test("a frame that breaks the protocol ends its connection, and no other", async (t) => {
  const ends = FATAL.map(async ([what, frames]) => {
    const socket = await openRawWs(t, gateway, token);
    socket.send(frames());
    return t.resolves(until(`the end after ${what}`, () => socket.isClosed));
  });
  await Promise.all(ends);
  await stillWhole(t);
});

t.test("frames that are not masked are never taken for what they say", async (t) => {
  const socket = await openRawWs(t, gateway, token);
  socket.send(Buffer.concat(Array.from({ length: 50 }, () => frame(text, PING, { masked: false }))));
  await until("the connection to end", () => socket.isClosed);
  t.notMatch(socket.text(), /"type":"pong"/);
  await stillWhole(t);
});

t.test("what is odd but allowed is answered", async (t) => {
  const socket = await openRawWs(t, gateway, token);
  const pongs = () => socket.text().split('"type":"pong"').length - 1;
  socket.send(frame(text, PING.slice(0, 5), { fin: false }));
  socket.send(frame(ping, "between the pieces"));
  socket.send(Buffer.concat([...PING.slice(5)].map((char) => frame(continuation, char, { fin: false }))));
  socket.send(frame(continuation, ""));
  await until("the message in pieces to be answered", () => pongs() === 1);
  t.match(socket.text(), /between the pieces/, "and the ping before it");
  socket.send(frame(pong, "not asked for"));
  const whole = frame(text, PING);
  for (const byte of whole) socket.send(Buffer.from([byte]));
  await until("the message byte by byte to be answered", () => pongs() === 2);
  socket.send(frame(binary, PING));
  await until("the binary frame to be answered", () => pongs() === 3);
  t.notOk(socket.isClosed);
});

t.test("a message that never ends is bounded, and so is a flood of pings", async (t) => {
  const endless = await openRawWs(t, gateway, token);
  endless.send(frame(text, "x", { fin: false }));
  const piece = Buffer.concat(Array.from({ length: 64 }, () => frame(continuation, "x".repeat(1_000), { fin: false })));
  for (let sent = 0; sent < 2_000 && !endless.isClosed; sent++) {
    endless.send(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await t.resolves(until("the endless message to be cut", () => endless.isClosed));
  const flood = await openRawWs(t, gateway, token);
  const pings = Buffer.concat(Array.from({ length: 1_000 }, () => frame(ping, "x".repeat(125))));
  for (let sent = 0; sent < 20; sent++) flood.send(pings);
  await stillWhole(t);
  flood.destroy();
});

const MESSAGES: readonly string[] = [
  '{"__proto__":{"type":"ping"}}',
  '{"constructor":{"prototype":{"type":"ping"}}}',
  '{"type":"__proto__"}',
  '{"type":{"toString":"ping"}}',
  '{"type":["ping"]}',
  '{"type":"subscribe","subscriptions":{"__proto__":["a"]}}',
  '{"type":"subscribe","subscriptions":[["__proto__"]]}',
  '{"type":"subscribe","subscriptions":["\\ud800"]}',
  '{"type":"refresh","token":{"__proto__":"x"}}',
  "[".repeat(16_000),
  "[".repeat(8_000) + "]".repeat(8_000),
  `{"type":"subscribe","subscriptions":${"[".repeat(7_000)}${"]".repeat(7_000)}}`,
  "\u0000",
  "\ufeff\ufeff{}",
];

t.test("a message made to confuse is a bad request, and changes nothing", async (t) => {
  const client = await openWs(t, `${gateway.url}/ws`, { token });
  await client.next();
  for (const message of MESSAGES) {
    client.sendRaw(message);
    t.match(await client.next(), { type: "error", code: "bad_request" }, message.slice(0, 60));
  }
  client.sendRaw('{"type":"nonsense","type":"ping"}');
  t.match(await client.next(), { type: "pong" }, "of a key that stands twice the last one counts");
  await stillWhole(t);
  t.match(await client.next(), { type: "event", data: `marker ${marker}` });
});

t.test("MessagePack made to confuse is a bad request, and changes nothing", async (t) => {
  const client = await openWs(t, `${gateway.url}/ws`, { token, protocols: ["ragline.msgpack.v1"] });
  await client.next();
  const nested = Buffer.concat([Buffer.alloc(15_000, 0x91), Buffer.from([0xc0])]);
  const messages: Uint8Array[] = [
    Buffer.from([
      0x81,
      0xa9,
      ...Buffer.from("__proto__"),
      0x81,
      0xa4,
      ...Buffer.from("type"),
      0xa4,
      ...Buffer.from("ping"),
    ]),
    pack({ type: { toString: "ping" } }),
    nested,
    Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0xc6, 0x7f, 0xff, 0xff, 0xff]),
    Buffer.from([0xc9, 0x00, 0x00, 0x00, 0x10, 0x72]),
    Buffer.from([0xd4, 0x72, 0x40]),
    Buffer.from([0xd4, 0x00, 0x01]),
    Buffer.from([0xc1]),
    Buffer.from([]),
  ];
  for (const message of messages) {
    client.sendRaw(message);
    t.match(
      await client.next(),
      { type: "error", code: "bad_request" },
      Buffer.from(message.subarray(0, 12)).toString("hex"),
    );
  }
  client.sendRaw(pack({ type: "ping" }));
  t.match(await client.next(), { type: "pong" });
  t.equal(({} as { type?: unknown }).type, undefined);
  await stillWhole(t);
});

t.test("both workers are the ones that were there at first", async (t) => {
  const { json } = await request(`${gateway.adminUrl}/status`);
  const pids = (json as { workers: { pid: number }[] }).workers.map(({ pid }) => pid);
  t.equal(pids.length, 2);
  t.notMatch(gateway.output(), /a worker ended/);
});
