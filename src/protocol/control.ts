import type { StreamLayout, UnitId } from "./stream.js";

/** A worker as its siblings reach it. */
export interface Peer {
  readonly worker: number;
  /** Unix domain socket on which it takes relayed batches. */
  readonly socketPath: string;
}

/** Connections of one worker. Lists, so that no tenant's name can be a property of an object. */
export interface WorkerStatistics {
  readonly websocket: TransportCounts;
  readonly sse: TransportCounts;
}

export interface TransportCounts {
  /** A healthy connection has taken everything it was sent. */
  readonly byUser: readonly (readonly [tenant: string, user: string, connections: number, healthy: number])[];
  /** Connections the gateway ended because they no longer took anything, since the worker started. */
  readonly staleCleaned: readonly (readonly [tenant: string, connections: number])[];
}

export interface WorkerHealth {
  /** What keeps the worker from delivering. Empty: nothing. */
  readonly problems: readonly string[];
  readonly connections: { readonly sse: number; readonly websocket: number };
  /** Of the worker's metrics library, which alone knows what is inside. */
  readonly metrics: unknown;
}

/** A worker's part. */
export interface Assignment {
  readonly worker: number;
  readonly group: string;
  readonly layout: StreamLayout;
  readonly units: readonly UnitId[];
  readonly socketPath: string;
  readonly siblings: readonly Peer[];
}

/** Primary to worker. */
export type ToWorker =
  | ({ readonly kind: "assign" } & Assignment)
  | { readonly kind: "collect"; readonly request: number }
  | { readonly kind: "place"; readonly request: number; readonly taken: boolean }
  | { readonly kind: "statistics"; readonly request: number; readonly workers: readonly WorkerStatistics[] }
  | { readonly kind: "stop" };

/** Worker to primary. */
export type ToPrimary =
  /** The process listens to its primary from now on: what was sent before may be lost. */
  | { readonly kind: "ready" }
  | { readonly kind: "listening" }
  | { readonly kind: "health"; readonly health: WorkerHealth }
  | { readonly kind: "collected"; readonly request: number; readonly statistics: WorkerStatistics }
  | { readonly kind: "take-place"; readonly request: number; readonly tenant: string; readonly user: string }
  | { readonly kind: "give-back-place"; readonly tenant: string; readonly user: string }
  | { readonly kind: "ask-statistics"; readonly request: number }
  | { readonly kind: "failed"; readonly message: string };
