import { createServer, type ServerResponse } from "node:http";
import { readPayloads } from "./read-payloads.ts";

/** The usual way: `node:http`, and a loop of writes. Arguments: address of Redis, port to listen on. */
const [redisUrl, port] = process.argv.slice(2);
const responses = new Set<ServerResponse>();

createServer((_request, response) => {
  response.on("close", () => responses.delete(response));
  response.writeHead(200, { "content-type": "text/event-stream" }).write("event: connected\ndata: {}\n\n");
  responses.add(response);
}).listen(Number(port), "127.0.0.1");

await readPayloads(redisUrl!, (payloads) => {
  for (const payload of payloads) {
    for (const response of responses) response.write(`event: order_created\ndata: ${payload}\n\n`);
  }
});
