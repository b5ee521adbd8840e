import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { type WebSocket, WebSocketServer } from "ws";
import { connectWebSocket } from "../../src/cli/websocket-client.ts";
import { FrameReader, OPCODE } from "../../src/cli/websocket-frames.ts";

async function listen(t: Test, server: Server): Promise<URL> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/ws`);
}

/** A server that gives each connection to `serve`, and our client connected to it. */
async function connect(t: Test, serve: (socket: WebSocket) => void) {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", serve);
  const url = await listen(t, server);
  const ending = new AbortController();
  const texts: string[] = [];
  const outcome = connectWebSocket(url, {
    protocol: "test.v1",
    headers: { authorization: "Bearer x" },
    signal: ending.signal,
    onText: (text) => {
      texts.push(text);
      if (text === "give up") ending.abort();
    },
  });
  return { outcome, texts };
}

t.test("messages of every length arrive, whole or in fragments, with pings between them", async (t) => {
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000];
  const { outcome, texts } = await connect(t, (socket) => {
    for (const length of lengths) socket.send("ü".repeat(length));
    socket.send("frag", { fin: false });
    socket.ping("between");
    socket.send("men", { fin: false });
    socket.send("ted");
    socket.once("pong", (data) => {
      socket.send(`pong ${data}`);
      socket.close(4401, "Token expired");
    });
  });
  t.strictSame(await outcome, { closeCode: 4401, reason: "Token expired" });
  t.strictSame(texts, [...lengths.map((length) => "ü".repeat(length)), "fragmented", "pong between"]);
});

t.test("giving up closes the connection as the standard asks", async (t) => {
  let closed: Promise<unknown[]> | undefined;
  const { outcome } = await connect(t, (socket) => {
    closed = once(socket, "close");
    socket.send("give up");
  });
  await outcome;
  t.match(await closed, [1000]);
});

t.test("a connection that is cut is told from one that is closed", async (t) => {
  const { outcome } = await connect(t, (socket) => socket.terminate());
  t.match(await outcome, { closeCode: 1006 });
  const without = await connect(t, (socket) => socket.close());
  t.match(await without.outcome, { closeCode: 1005 });
});

t.test("a refused upgrade is answered with its status and body", async (t) => {
  const server = createServer().on("upgrade", (_request, socket) => {
    socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno");
  });
  const url = await listen(t, server);
  const { signal } = new AbortController();
  const options = { protocol: "test.v1", headers: {}, signal, onText: () => {} };
  t.strictSame(await connectWebSocket(url, options), { status: 401, body: "no" });
});

t.test("whoever does not speak our protocol is refused", async (t) => {
  const server = createServer().on("upgrade", (_request, socket) => {
    socket.end(
      "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n",
    );
  });
  const url = await listen(t, server);
  const { signal } = new AbortController();
  const options = { protocol: "test.v1", headers: {}, signal, onText: () => {} };
  await t.rejects(connectWebSocket(url, options), { message: /does not speak/ });
});

t.test("frames are read however the bytes are cut", async (t) => {
  const bytes = Buffer.from([0x01, 2, 97, 98, 0x89, 1, 33, 0x80, 126, 0, 130, ...new Array(130).fill(99), 0x88, 0]);
  const expected = [
    { opcode: OPCODE.ping, data: Buffer.from("!") },
    { opcode: OPCODE.text, data: Buffer.from(`ab${"c".repeat(130)}`) },
    { opcode: OPCODE.close, data: Buffer.alloc(0) },
  ];
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const reader = new FrameReader();
    const messages = [];
    for (let at = 0; at < bytes.length; at += size) messages.push(...reader.push(bytes.subarray(at, at + size)));
    t.strictSame(messages, expected, `${size} at a time`);
  }
});

t.test("frames that break the protocol are refused", async (t) => {
  const broken: [name: string, bytes: number[]][] = [
    ["masked", [0x81, 0x80, 0, 0, 0, 0]],
    ["with an extension's bit", [0xc1, 0]],
    ["a fragmented ping", [0x09, 0]],
    ["a long ping", [0x89, 126, 0, 126, ...new Array(126).fill(0)]],
    ["a continuation of nothing", [0x80, 0]],
    ["a message within a message", [0x01, 0, 0x81, 0]],
    ["larger than any event", [0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0]],
  ];
  for (const [name, bytes] of broken) t.throws(() => new FrameReader().push(Buffer.from(bytes)), new Error(), name);
});
