import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import type { Redis } from "ioredis";
import { WebSocket } from "ws";
import type { WatchedGateway } from "./fuzz-gateway.ts";

const TENANT = "the healthy tenant";
const PERIOD_MS = 20;

/** In everything the healthy tenant is sent, and in nothing anyone else may get. */
export const SECRET_MARK = "for the healthy tenant only";

/** Clients that only listen, and an event for them every few milliseconds. */
export interface HealthyClients {
  readonly count: number;
  /** Publishes no more. @returns how many events there were. */
  stop(): Promise<number>;
  /** What is wrong with what they got. Empty: each has every event, once and in order. */
  problems(): string[];
  close(): void;
}

interface Listener {
  readonly name: string;
  readonly numbers: number[];
  end: string | null;
  readonly close: () => void;
}

export async function startHealthyClients(gateway: WatchedGateway, redis: Redis): Promise<HealthyClients> {
  const token = gateway.token({ tenant: TENANT });
  const kinds = ["SSE", "SSE", "WebSocket", "WebSocket"] as const;
  const listeners = await Promise.all(
    kinds.map((kind, n) => (kind === "SSE" ? listenSse : listenWebSocket)(gateway, token, `${kind} ${n + 1}`)),
  );
  let added = 0;
  let adding: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    const payload = JSON.stringify({ n: added++, mark: SECRET_MARK });
    const fields = ["event_type", "healthy", "tenant_id", TENANT, "payload", payload];
    adding = Promise.all([adding, redis.xadd("ragline:stream:orders", "*", ...fields)]);
  }, PERIOD_MS);
  return {
    count: listeners.length,
    stop: async () => {
      clearInterval(timer);
      await adding;
      return added;
    },
    problems: () => listeners.flatMap((listener) => problemsOf(listener, added)),
    close: () => {
      for (const { close } of listeners) close();
    },
  };
}

function problemsOf({ name, numbers, end }: Listener, added: number): string[] {
  const found = end === null ? [] : [`${name}: ${end}`];
  const wrong = numbers.findIndex((n, i) => n !== i);
  if (wrong >= 0) return [...found, `${name}: event ${numbers[wrong]} came where ${wrong} should have`];
  return numbers.length === added ? found : [...found, `${name}: ${numbers.length} of ${added} events`];
}

function note(listener: Listener): (text: string) => void {
  return (text) => {
    for (const [, n] of text.matchAll(/"n":(\d+)/g)) listener.numbers.push(Number(n));
  };
}

async function listenSse(gateway: WatchedGateway, token: string, name: string): Promise<Listener> {
  const headers = { authorization: `Bearer ${token}` };
  const request = get({ port: gateway.port, host: "127.0.0.1", path: "/stream", agent: false, headers });
  const listener: Listener = { name, numbers: [], end: null, close: () => request.destroy() };
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const take = note(listener);
  let rest = "";
  response.setEncoding("utf8").on("data", (text: string) => {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop()!;
    for (const block of blocks) take(block);
  });
  response.on("close", () => {
    listener.end ??= "its connection ended";
  });
  return listener;
}

async function listenWebSocket(gateway: WatchedGateway, token: string, name: string): Promise<Listener> {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws?token=${token}`);
  const listener: Listener = { name, numbers: [], end: null, close: () => socket.terminate() };
  const take = note(listener);
  socket.on("message", (data) => take(String(data)));
  socket.on("close", (code) => {
    listener.end ??= `its connection ended with ${code}`;
  });
  await once(socket, "message");
  return listener;
}
