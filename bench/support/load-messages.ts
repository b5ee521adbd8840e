/** One connection a generator is to open. */
export interface ConnectionPlan {
  readonly port: number;
  readonly transport: "sse" | "websocket";
  readonly path: string;
  readonly token: string;
  /** Whose events must come, see stamp.ts. */
  readonly tenant: number;
  /** Number of the first of them; -1: any. */
  readonly next: number;
}

export interface DeliveryCounts {
  readonly deliveries: number;
  readonly bytes: number;
  readonly reads: number;
  /** Events passed over. */
  readonly missing: number;
  /** Events that came again, or after a later one. */
  readonly repeated: number;
  /** Events of another tenant. */
  readonly foreign: number;
  /** Messages and ends that should not have come, the first few. */
  readonly complaints: readonly string[];
}

export interface Received extends DeliveryCounts {
  /** Microseconds of `nowMicros`; 0 when nothing came. */
  readonly lastReceiptAt: number;
  /** Connections that have not got the last event they should. */
  readonly behind: number;
  /** Microseconds, see `Samples`. */
  readonly latencies: Uint32Array;
}

export interface Opened {
  readonly problems: readonly string[];
  /** Of the first connection's greeting. */
  readonly cursor: string;
}

/** What a generator is asked, one at a time, and what it answers. */
export type GeneratorRequest =
  /** At most `atOnce` on their way at a time. */
  | { kind: "open"; connections: readonly ConnectionPlan[]; atOnce: number }
  | { kind: "restart"; sampleEvery: number }
  /** Answered once every connection got as many events as were sent of its tenant, after `withinMs`, or when nothing more comes. */
  | { kind: "settle"; sent: Uint32Array; withinMs: number }
  | { kind: "close" };

export type GeneratorAnswer =
  | { kind: "opened"; opened: Opened }
  | { kind: "restarted" }
  | { kind: "settled"; received: Received }
  | { kind: "closed" };
