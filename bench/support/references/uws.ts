import { App, type HttpResponse } from "uWebSockets.js";
import { readPayloads } from "./read-payloads.ts";

/**
 * The limit: uWebSockets.js sends each payload as it stands in Redis. No tenants, tokens, cursors, acknowledgements.
 * Arguments: address of Redis, port to listen on.
 */
const [redisUrl, port] = process.argv.slice(2);
const TOPIC = "all";
const responses = new Set<HttpResponse>();
const app = App();

app.ws("/ws", {
  maxBackpressure: 64 * 1024 * 1024,
  open: (socket) => {
    socket.subscribe(TOPIC);
    socket.send('{"type":"connected"}');
  },
});
app.get("/stream", (response) => {
  response.onAborted(() => responses.delete(response));
  response.cork(() => {
    response.writeHeader("content-type", "text/event-stream").write("event: connected\ndata: {}\n\n");
  });
  responses.add(response);
});
app.listen("127.0.0.1", Number(port), () => {});

await readPayloads(redisUrl!, (payloads) => {
  if (app.numSubscribers(TOPIC) > 0) for (const payload of payloads) app.publish(TOPIC, payload);
  if (responses.size === 0) return;
  const events = Buffer.from(payloads.map((payload) => `event: order_created\ndata: ${payload}\n\n`).join(""));
  for (const response of responses) response.cork(() => response.write(events));
});
