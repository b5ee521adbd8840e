import { createServer, type Server, type ServerResponse } from "node:http";
import { exposeMetrics, type MetricsSnapshot } from "../observe/metrics.js";
import { allUnits, type StreamLayout, type UnitId, unitStreams } from "../protocol/stream.js";
import type { Fleet, Member } from "./fleet.js";

export interface OperatorOptions {
  readonly host: string;
  readonly port: number;
  readonly group: string;
  readonly layout: StreamLayout;
  /** null until it is started. */
  readonly fleet: () => Fleet | null;
  readonly isStopping: () => boolean;
}

/** Milliseconds a stream may be without a reader while it moves from one worker to another. */
const MOVE_WITHIN_MS = 2_000;

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

/** Where a worker is being replaced, the others deliver for it: that alone is no problem. */
function problemsOf({ fleet, isStopping }: OperatorOptions): string[] {
  if (isStopping()) return ["draining"];
  const workers = fleet();
  if (workers === null) return ["the workers are starting"];
  const problems = workers.members().flatMap(({ id, stage, health }) => {
    if (stage !== "joined") return [];
    if (health === null) return [`worker ${id} has yet to report`];
    return health.problems.map((problem) => `worker ${id}: ${problem}`);
  });
  if (!workers.hasStarted) problems.push("not every stream has been read yet");
  else if (workers.unservedFor() > MOVE_WITHIN_MS) problems.push("some streams have no reader");
  return problems;
}

async function answerMetrics(response: ServerResponse, { fleet }: OperatorOptions): Promise<void> {
  const members = fleet()?.members() ?? [];
  const snapshots = members.flatMap(({ health }) => (health === null ? [] : [health.metrics as MetricsSnapshot]));
  const { contentType, text } = await exposeMetrics(snapshots);
  response.writeHead(200, { "content-type": contentType }).end(text);
}

function status({ group, layout, fleet }: OperatorOptions): unknown {
  const workers = fleet();
  const members = workers?.members() ?? [];
  const owners = new Map(members.flatMap((member) => workers!.unitsOf(member).map((unit) => [unit, member])));
  return {
    group,
    workers: members.map((member) => ({
      id: member.id,
      pid: member.process.process.pid,
      stage: member.stage,
      problems: member.health?.problems ?? [],
      connections: member.health?.connections ?? { sse: 0, websocket: 0 },
      units: workers!.unitsOf(member),
    })),
    streams: allUnits(layout).flatMap((unit) => streamsOf(unit, layout, owners.get(unit))),
  };
}

/** The owner is null while the unit moves from one worker to another. */
function streamsOf(unit: UnitId, layout: StreamLayout, owner: Member | undefined): unknown[] {
  return unitStreams(layout, unit).map(({ key, topic, partition }) => {
    const progress = owner?.streams.get(key);
    return {
      key,
      topic,
      partition,
      owner: owner?.id ?? null,
      position: progress?.position ?? null,
      lag: progress?.lag ?? null,
      lag_seconds: progress?.lagSeconds ?? null,
    };
  });
}

function answer(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
}
