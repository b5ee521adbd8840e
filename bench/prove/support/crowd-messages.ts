import type { Transport } from "./connection.ts";
import type { ClientRecord } from "./record.ts";

export interface Endpoint {
  readonly transport: Transport;
  readonly path: string;
}

export type ClientKind =
  | "steady"
  | "restless"
  /** Leaves and returns with all of its kind. */
  | "herd"
  /** So slow that it has to be caught up, and not so slow that it has to be cut. */
  | "slow"
  /** Stops reading for longer than the gateway bears. */
  | "stalling";

export type Behaviour =
  /** Stays, and reads at once what there is. */
  | { readonly kind: "steady" }
  /** Cuts its connection after a while and comes back after another, both random, milliseconds at most. */
  | { readonly kind: "restless"; readonly stayMs: number; readonly awayMs: number }
  /** Stays until all are told to leave at once. */
  | { readonly kind: "herd" }
  /** Reads little at a time, and now and then nothing for a while, milliseconds at most. */
  | { readonly kind: "slow"; readonly bytes: number; readonly pauseMs: number; readonly longPauseMs: number };

export interface ClientPlan {
  readonly port: number;
  readonly tenant: number;
  readonly token: string;
  /** All deliver the same streams; whenever it comes back, it takes any. */
  readonly endpoints: readonly Endpoint[];
  /** Numbers of the tenant's streams these deliver. */
  readonly streams: readonly number[];
  /** Which of the scenario's kinds of client it is. */
  readonly kind: ClientKind;
  readonly behaviour: Behaviour;
  readonly seed: number;
  /** Its random numbers, and what it is called in complaints. */
  readonly name: string;
}

export interface ClientReport {
  readonly record: ClientRecord;
  /** Connections it cut itself. */
  readonly cuts: number;
  /** Why connections ended that it did not cut itself. */
  readonly ends: readonly string[];
  /** HTTP statuses with which it was not let in. */
  readonly refusals: readonly number[];
  /** Connections that were refused, reset or never greeted, before they were let in. */
  readonly failures: number;
}

/** What a crowd process is asked, one at a time, and what it answers. */
export type CrowdRequest =
  /** Answered once all were greeted. */
  | { kind: "open"; plans: readonly ClientPlan[] }
  /** All of the herd leave at once, and each comes back after a while, milliseconds. */
  | { kind: "stampede"; leastMs: number; mostMs: number }
  /** Answered once every client is connected, or after so many milliseconds. */
  | { kind: "await-connected"; withinMs: number }
  /** Nobody cuts or dawdles any more. */
  | { kind: "calm" }
  /** Answered once every client got events up to these numbers, or after so many milliseconds; -1: none. */
  | { kind: "settle"; last: readonly (readonly number[])[]; withinMs: number; who: "steady" | "all" }
  /** Latencies are kept from here on. */
  | { kind: "sample" }
  | { kind: "latencies" }
  | { kind: "report" };

export type CrowdAnswer =
  | { kind: "opened"; problems: readonly string[] }
  | { kind: "done" }
  /** How many were not, and the first of them. */
  | { kind: "behind"; count: number; first: string }
  /** Microseconds. */
  | { kind: "sampled"; latencies: Uint32Array }
  | { kind: "reported"; clients: readonly ClientReport[] };
