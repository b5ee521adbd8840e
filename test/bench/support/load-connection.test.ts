import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { type WebSocket, WebSocketServer } from "ws";
import { LoadConnection } from "../../../bench/support/load-connection.ts";
import type { ConnectionPlan } from "../../../bench/support/load-messages.ts";
import { stampedPayload } from "../../../bench/support/stamp.ts";
import { Tally } from "../../../bench/support/tally.ts";
import { until } from "../../support/until.ts";

const PAYLOAD_BYTES = 128;
const OWN = 7;
const OTHER = 8;

type Transport = ConnectionPlan["transport"];
type Say = (text: string, isEvent: boolean) => void;

/** A server that lets `serve` speak to each client, by whichever transport it came. */
async function listen(t: Test, serve: (say: Say) => void): Promise<number> {
  const server: Server = createServer((_request, response) => serve(sseVoice(response)));
  new WebSocketServer({ server }).on("connection", (socket) => serve(webSocketVoice(socket)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function sseVoice(response: ServerResponse): Say {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write("event: connected\nid: a-cursor\ndata: {}\n\n");
  return (text, isEvent) =>
    response.write(isEvent ? `event: order\ndata: ${text}\n\n` : `event: gap\ndata: ${text}\n\n`);
}

function webSocketVoice(socket: WebSocket): Say {
  socket.send('{"type":"connected","id":"a-cursor"}');
  return (text, isEvent) => socket.send(isEvent ? `{"type":"event","data":${text}}` : text);
}

async function connect(t: Test, port: number, transport: Transport, next = 0) {
  const tally = new Tally();
  tally.restart(1);
  const plan: ConnectionPlan = { port, transport, path: "/", token: "x", tenant: OWN, next };
  let connection: LoadConnection | undefined;
  const problem = await new Promise<string | null>((resolve) => {
    connection = new LoadConnection(plan, tally, resolve);
  });
  t.teardown(() => connection!.close());
  return { connection: connection!, tally, problem };
}

for (const transport of ["sse", "websocket"] as const) {
  t.test(`${transport}: what is missing, comes again or is another tenant's is counted`, async (t) => {
    const port = await listen(t, (say) => {
      for (const number of [0, 1, 4, 2, 4]) say(stampedPayload(PAYLOAD_BYTES, OWN, number, 0), true);
      say(stampedPayload(PAYLOAD_BYTES, OTHER, 5, 0), true);
      say("something else", false);
    });
    const { tally, connection } = await connect(t, port, transport);
    await until("a complaint", () => tally.complaints.length > 0);
    const { deliveries, missing, repeated, foreign } = tally;
    t.strictSame({ deliveries, missing, repeated, foreign }, { deliveries: 6, missing: 2, repeated: 2, foreign: 1 });
    t.match(tally.complaints, [/something else/]);
    t.equal(connection.next, 5);
    t.equal(connection.cursor, "a-cursor");
    t.equal(tally.samples.taken().length, 6);
  });

  t.test(`${transport}: a client that does not know the first number takes whatever comes`, async (t) => {
    const port = await listen(t, (say) => {
      for (const number of [41, 42, 44]) say(stampedPayload(PAYLOAD_BYTES, OWN, number, 0), true);
    });
    const { tally } = await connect(t, port, transport, -1);
    await until("three deliveries", () => tally.deliveries === 3);
    t.strictSame([tally.missing, tally.repeated], [1, 0]);
  });
}

t.test("a refusal is told, and an end that nobody asked for is complained of", async (t) => {
  const refusing = createServer((_request, response) => response.writeHead(401).end("no")).listen(0, "127.0.0.1");
  await once(refusing, "listening");
  t.teardown(() => refusing.close());
  const refused = await connect(t, (refusing.address() as AddressInfo).port, "sse");
  t.match(refused.problem, /401/);

  let end = () => {};
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", (socket) => {
    socket.send('{"type":"connected"}');
    end = () => socket.terminate();
  });
  await once(server, "listening");
  t.teardown(() => server.close());
  const { tally, problem } = await connect(t, (server.address() as AddressInfo).port, "websocket");
  t.equal(problem, null);
  end();
  await until("a complaint", () => tally.complaints.length > 0);
  t.match(tally.complaints, [/closed/]);
});
