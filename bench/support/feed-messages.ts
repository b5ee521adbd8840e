import type { EntryForm } from "./xadd-template.ts";

/** Tenants that share a part of the events, one after the other. */
export interface Lane {
  readonly firstTenant: number;
  readonly tenants: number;
  /** Of all events, this many in the sum of all weights. */
  readonly weight: number;
}

export interface FeedPlan {
  readonly form: EntryForm;
  /** `shared`: one stream of the topic for all tenants; `partitioned`: each tenant's partition. */
  readonly streams: "shared" | "partitioned";
  readonly payloadBytes: number;
  readonly lanes: readonly Lane[];
}

export interface Fed {
  readonly events: number;
  /** All events so far, by tenant. */
  readonly sent: Uint32Array;
  /** Microseconds of `nowMicros`, before the first event was written. */
  readonly startedAt: number;
  /** Microseconds, when Redis had answered to the last. */
  readonly endedAt: number;
  /** Milliseconds by which the latest event was sent after its time. */
  readonly latestMs: number;
}

/** What the feeder is asked, one at a time, and what it answers. */
export type FeederRequest =
  | { kind: "open"; redisPort: number; plan: FeedPlan }
  /** So many events, evenly, so many per second; answered once Redis has them all. */
  | { kind: "feed"; rate: number; events: number };

export type FeederAnswer = { kind: "ready" } | { kind: "fed"; fed: Fed };
