import { createServer, type Server, type ServerResponse } from "node:http";
import { exposeMetrics, type MetricsSnapshot } from "../observe/metrics.js";
import type { Member } from "./fleet.js";

export interface OperatorOptions {
  readonly host: string;
  readonly port: number;
  readonly group: string;
  readonly members: () => readonly Member[];
  readonly isStopping: () => boolean;
}

/** What operators and their probes can ask. Rejects when the address is taken. */
export function listenForOperators(options: OperatorOptions): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://operator").pathname;
    if (request.method !== "GET") {
      response.setHeader("allow", "GET");
      answer(response, 405, { error: { code: "method_not_allowed", message: "Method not allowed" } });
    } else if (path === "/health/live") answer(response, 200, { status: "alive" });
    else if (path === "/health/ready") answerReady(response, options);
    else if (path === "/status") answer(response, 200, status(options));
    else if (path === "/metrics") void answerMetrics(response, options);
    else answer(response, 404, { error: { code: "not_found", message: "Not found" } });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => resolve(server));
  });
}

function answerReady(response: ServerResponse, options: OperatorOptions): void {
  const problems = problemsOf(options);
  const ready = problems.length === 0;
  answer(response, ready ? 200 : 503, ready ? { status: "ready" } : { status: "not ready", problems });
}

function problemsOf({ members, isStopping }: OperatorOptions): string[] {
  if (isStopping()) return ["draining"];
  return members().flatMap(({ id, listening, health }) => {
    if (!listening || health === null) return [`worker ${id} is starting`];
    return health.problems.map((problem) => `worker ${id}: ${problem}`);
  });
}

async function answerMetrics(response: ServerResponse, { members }: OperatorOptions): Promise<void> {
  const snapshots = members().flatMap(({ health }) => (health === null ? [] : [health.metrics as MetricsSnapshot]));
  const { contentType, text } = await exposeMetrics(snapshots);
  response.writeHead(200, { "content-type": contentType }).end(text);
}

function status({ group, members }: OperatorOptions): unknown {
  return {
    group,
    workers: members().map(({ id, process, listening, health, units }) => ({
      id,
      pid: process.process.pid,
      listening,
      problems: health?.problems ?? [],
      connections: health?.connections ?? { sse: 0, websocket: 0 },
      units,
    })),
  };
}

function answer(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
}
