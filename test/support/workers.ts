import type { Gateway } from "./gateway.ts";
import { request } from "./request.ts";

/** A worker process as `/status` shows it. */
export interface WorkerStatus {
  readonly id: number;
  readonly pid: number;
  readonly stage: "starting" | "reachable" | "joined" | "leaving";
  readonly connections: { readonly sse: number; readonly websocket: number };
  readonly units: readonly string[];
}

/** A stream as `/status` shows it. */
export interface StreamStatus {
  readonly key: string;
  readonly owner: number | null;
  readonly position: string | null;
  readonly lag: number | null;
  readonly lag_seconds: number | null;
}

export interface GatewayStatus {
  readonly group: string;
  readonly workers: readonly WorkerStatus[];
  readonly streams: readonly StreamStatus[];
}

export async function statusOf({ adminUrl }: Gateway): Promise<GatewayStatus> {
  const { json } = await request(`${adminUrl}/status`);
  return json as GatewayStatus;
}

/** Those that deliver. */
export async function joinedWorkers(gateway: Gateway): Promise<WorkerStatus[]> {
  return (await statusOf(gateway)).workers.filter(({ stage }) => stage === "joined");
}
