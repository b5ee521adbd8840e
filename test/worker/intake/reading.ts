import type { Test } from "tap";
import { openLog } from "../../../src/observe/log.ts";
import { encodeEvents } from "../../../src/pool/encode-events.ts";
import type { BatchSection } from "../../../src/protocol/batch.ts";
import { partitionStream, type StreamRef, sharedStream } from "../../../src/protocol/stream.ts";
import type { RedisClient } from "../../../src/redis/connect.ts";
import { Intake, type IntakeOptions } from "../../../src/worker/intake/intake.ts";
import { continuityOf } from "../../../src/worker/resume/gaps.ts";
import { until } from "../../support/until.ts";
import { LAYOUT } from "../fanout/listener.ts";
import type { OpenRedis } from "../redis-fixture.ts";

export const GROUP = "ragline-gateway:test:1";
export const SHARED = sharedStream(LAYOUT, "orders");
export const PARTITION = partitionStream(LAYOUT, "orders", 2);
export const SYSTEM = sharedStream(LAYOUT, "system");

/** An intake, and what became of what it read. */
export class Reading {
  readonly intake: Intake;
  readonly delivered: string[] = [];
  readonly attached: ReadonlyMap<string, string>[] = [];
  readonly deadLetters: string[] = [];
  readonly gaps: string[] = [];
  read = 0;

  constructor({ client, connect }: OpenRedis, options: Partial<IntakeOptions> = {}) {
    this.intake = new Intake({
      group: GROUP,
      streams: [SHARED, PARTITION, SYSTEM],
      known: new Map(),
      continues: false,
      commands: client,
      connect: () => connect({ blocking: true }),
      encode: async (raw) => encodeEvents(raw, { msgpack: false }),
      deliver: async (sections) => this.note(sections),
      onAttached: async (positions) => {
        this.attached.push(positions);
      },
      compare: (stream, id, state) => continuityOf(stream.topic, { id, epoch: 0 }, state).gap,
      onMissed: ({ key }, { reason, from, to }) => this.gaps.push(`${key} ${reason} ${from} ${to}`),
      onReset: async ({ key }) => {
        this.gaps.push(`${key} reset`);
      },
      onRead: (entries) => {
        this.read += entries;
      },
      onDeadLetter: (reason) => this.deadLetters.push(reason),
      log: openLog("silent", {}),
      ...options,
    });
  }

  note(sections: readonly BatchSection[]): void {
    for (const { streamKey, records } of sections) {
      for (const { id } of records) this.delivered.push(`${streamKey} ${id}`);
    }
  }
}

export async function startReading(t: Test, redis: OpenRedis, options?: Partial<IntakeOptions>): Promise<Reading> {
  const reading = new Reading(redis, options);
  t.teardown(() => reading.intake.stop());
  await until("the first read", () => reading.intake.isReading);
  return reading;
}

export function add(client: RedisClient, { key }: StreamRef, id: string, fields: Record<string, string> = {}) {
  const entry = { event_type: "order_created", tenant_id: "acme", payload: "{}", ...fields };
  return client.xadd(key, id, ...Object.entries(entry).flat());
}

/** Entries handed out and not acknowledged. */
export async function pendingIn(client: RedisClient, { key }: StreamRef): Promise<number> {
  const [count] = (await client.xpending(key, GROUP)) as [number, ...unknown[]];
  return count;
}
