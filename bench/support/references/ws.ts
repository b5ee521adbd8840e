import { WebSocketServer } from "ws";
import { readPayloads } from "./read-payloads.ts";

/** The usual way: `ws`, and a loop of sends. Arguments: address of Redis, port to listen on. */
const [redisUrl, port] = process.argv.slice(2);
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), path: "/ws" });

server.on("connection", (socket) => socket.send('{"type":"connected"}'));
await readPayloads(redisUrl!, (payloads) => {
  for (const payload of payloads) {
    for (const socket of server.clients) socket.send(payload, { binary: false });
  }
});
