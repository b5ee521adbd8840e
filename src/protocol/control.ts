import type { EntryId } from "./entry-id.js";
import type { StreamLayout, UnitId } from "./stream.js";

/** A worker process as its siblings reach it. */
export interface Peer {
  /** Tells one process from another that does the work of the same worker before or after it. Never given twice. */
  readonly incarnation: number;
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

/** Connections over the whole gateway; 0 = unlimited. */
export interface QuotaLimits {
  readonly perTenant: number;
  readonly perUser: number;
}

/** How far the owner of a stream has delivered it. */
export interface StreamProgress {
  readonly key: string;
  /** Everything up to here has been delivered. */
  readonly position: EntryId;
  /** Entries in the stream after it. */
  readonly lag: number;
  /** How long the earliest of them has been waiting. */
  readonly lagSeconds: number;
}

/** What a worker process is told once, when it starts. */
export interface Assignment extends Peer {
  /** From 1 to the number of workers. */
  readonly worker: number;
  readonly group: string;
  readonly layout: StreamLayout;
}

/** Primary to worker. */
export type ToWorker =
  | ({ readonly kind: "assign" } & Assignment)
  /** Siblings to link up with, in addition to those already known. */
  | { readonly kind: "meet"; readonly peers: readonly Peer[] }
  /** A sibling's process has ended. Answer `handed-over` once everything it sent has been delivered. */
  | { readonly kind: "gone"; readonly incarnation: number; readonly units: readonly UnitId[]; readonly move: number }
  /** Stop reading these, finish what was read, hand over to the siblings, and answer `released`. */
  | { readonly kind: "release"; readonly units: readonly UnitId[]; readonly move: number }
  /** Read these from now on: nobody else does. */
  | { readonly kind: "take-over"; readonly units: readonly UnitId[] }
  | { readonly kind: "collect"; readonly request: number }
  | { readonly kind: "place"; readonly request: number; readonly taken: boolean }
  | { readonly kind: "statistics"; readonly request: number; readonly workers: readonly WorkerStatistics[] }
  /** Send the clients away within this time, in milliseconds, and end; 0 when it is said again to end at once. */
  | { readonly kind: "stop"; readonly windowMs: number };

/** Worker to primary. */
export type ToPrimary =
  /** The process listens to its primary from now on: what was sent before may be lost. */
  | { readonly kind: "ready" }
  /** Siblings can link up. */
  | { readonly kind: "reachable" }
  /** Linked up with every sibling known, and clients are taken. */
  | { readonly kind: "joined" }
  /** These are being read, among those the worker was given. */
  | { readonly kind: "reading"; readonly units: readonly UnitId[] }
  /** Nothing of the move's units is on its way any more but to these siblings, each of which will say `handed-over`. */
  | { readonly kind: "released"; readonly move: number; readonly told: readonly number[] }
  /** Everything the units' last owner sent has been delivered here. */
  | { readonly kind: "handed-over"; readonly move: number }
  /** The link to a sibling broke, which by itself happens only when that one dies. */
  | { readonly kind: "lost-sibling"; readonly incarnation: number }
  | { readonly kind: "health"; readonly health: WorkerHealth }
  | { readonly kind: "progress"; readonly streams: readonly StreamProgress[] }
  | { readonly kind: "collected"; readonly request: number; readonly statistics: WorkerStatistics }
  | {
      readonly kind: "take-place";
      readonly request: number;
      readonly tenant: string;
      readonly user: string;
      /** Those of this tenant at the moment. */
      readonly limits: QuotaLimits;
    }
  | { readonly kind: "give-back-place"; readonly tenant: string; readonly user: string }
  | { readonly kind: "ask-statistics"; readonly request: number }
  | { readonly kind: "failed"; readonly message: string };
