import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { WebSocket } from "ws";
import { startPrivateRedis } from "../src/cli/private-redis.ts";
import type { BenchOptions, Report } from "./support/benchmark.ts";
import { startGateway, tokenOf } from "./support/gateway.ts";
import { tenantName } from "./support/stamp.ts";

export const question = "How long from XADD to receipt on an idle machine, by SSE and WebSocket, with two workers?";

const TENANT = tenantName(0);
/** Of each kind: enough that both workers have some, whichever the kernel picks. */
const CONNECTIONS = 8;
const EVENTS = 500;
const QUICK_EVENTS = 100;
const PAUSE_MS = 10;
const STREAM = "ragline:stream:orders";
const SETTLE_MS = 500;

/** Milliseconds from just before the command was sent. */
type Latencies = number[];

export async function run({ quick }: BenchOptions): Promise<Report> {
  const redis = await startPrivateRedis();
  try {
    const { port, stop } = await startGateway({ redisUrl: redis.url, workers: 2 });
    try {
      return await measure({ port, redisPort: redis.port }, quick ? QUICK_EVENTS : EVENTS);
    } finally {
      await stop();
    }
  } finally {
    await redis.stop();
  }
}

interface Ports {
  readonly port: number;
  readonly redisPort: number;
}

async function measure(gateway: Ports, events: number): Promise<Report> {
  const sentAt = new Map<number, number>();
  const latencies = { "XREAD in this process": [] as Latencies, SSE: [] as Latencies, WebSocket: [] as Latencies };
  const note = (kind: keyof typeof latencies) => (text: string) => {
    const receivedAt = performance.now();
    for (const [, n] of text.matchAll(/"n":(\d+)/g)) latencies[kind].push(receivedAt - sentAt.get(Number(n))!);
  };
  const producer = new Redis(gateway.redisPort);
  const reader = new Redis(gateway.redisPort);
  const reading = readDirectly(reader, events, note("XREAD in this process"));
  const opening = Array.from({ length: CONNECTIONS }, () => [
    openSse(gateway, note("SSE")),
    openWebSocket(gateway, note("WebSocket")),
  ]);
  const closers = await Promise.all(opening.flat());
  await delay(SETTLE_MS);

  for (let n = 0; n < events; n++) {
    const fields = ["event_type", "order_created", "tenant_id", TENANT, "payload", `{"n":${n}}`];
    sentAt.set(n, performance.now());
    await producer.xadd(STREAM, "*", ...fields);
    await delay(PAUSE_MS);
  }
  await reading;
  await delay(SETTLE_MS);
  for (const close of closers) close();
  producer.disconnect();
  reader.disconnect();
  return report(latencies, events);
}

function report(latencies: Readonly<Record<string, Latencies>>, events: number): Report {
  const rows = Object.entries(latencies).map(([by, values]) => {
    const sorted = [...values].sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return {
      by,
      receipts: values.length,
      "p50 ms": at(0.5).toFixed(2),
      "p99 ms": at(0.99).toFixed(2),
      "max ms": at(1).toFixed(2),
    };
  });
  const complete =
    latencies.SSE!.length === events * CONNECTIONS && latencies.WebSocket!.length === events * CONNECTIONS;
  if (!complete) throw new Error(`not every event arrived once everywhere: ${JSON.stringify(rows)}`);
  const notes = [
    `${events} events, one every ${PAUSE_MS} ms, ${CONNECTIONS} connections of each kind over two workers; every receipt counted`,
    "XREAD in this process is what Redis and the client library take by themselves",
  ];
  return { tables: [{ title: "XADD to receipt", rows }], notes };
}

async function readDirectly(reader: Redis, events: number, note: (text: string) => void): Promise<void> {
  let last = "$";
  for (let read = 0; read < events; ) {
    const reply = (await reader.xread("BLOCK", 5_000, "STREAMS", STREAM, last)) as
      | [string, [string, string[]][]][]
      | null;
    for (const [id, fields] of reply?.[0]?.[1] ?? []) {
      note(fields.join(" "));
      last = id;
      read++;
    }
  }
}

async function openSse({ port }: Ports, note: (text: string) => void): Promise<() => void> {
  const request = get({
    port,
    host: "127.0.0.1",
    path: "/stream",
    agent: false,
    headers: { authorization: `Bearer ${tokenOf(0)}` },
  });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.setEncoding("utf8").on("data", note);
  return () => request.destroy();
}

async function openWebSocket({ port }: Ports, note: (text: string) => void): Promise<() => void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?token=${tokenOf(0)}`);
  socket.on("message", (data) => note(String(data)));
  await once(socket, "open");
  return () => socket.terminate();
}
