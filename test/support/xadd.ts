import type { Redis } from "ioredis";
import { pack } from "msgpackr";
import { partitionOf } from "../../src/protocol/partition.ts";

const DEFAULT_PARTITIONS = 16;

export type Topic = "orders" | "notifications" | "system";

export interface TestEvent {
  readonly topic?: Topic;
  readonly event_type?: string;
  /** Left out of the entry when undefined. */
  readonly tenant_id?: string | number | undefined;
  readonly payload: unknown;
  readonly event_id?: string;
  readonly user_id?: string | number;
  readonly target_user_id?: string | number;
  readonly created_at?: string;
}

/** How an event can stand in Redis. */
export interface Place {
  readonly form: "fields" | "compact";
  /** Kind of the stream's key. */
  readonly key: "shared" | "partitioned";
}

/** All of them: first as the Python producers write, second as the gateway's own publisher does. */
export const PLACES: readonly [Place, Place, Place, Place] = [
  { form: "fields", key: "shared" },
  { form: "compact", key: "partitioned" },
  { form: "fields", key: "partitioned" },
  { form: "compact", key: "shared" },
];

/** @returns the entry's id. */
export async function addEvent(redis: Redis, event: TestEvent, place: Place = PLACES[0]): Promise<string> {
  const { key, fields } = entryOf(event, place);
  return addEntry(redis, key, fields);
}

export function entryOf(event: TestEvent, { form, key }: Place): { key: string; fields: (string | Buffer)[] } {
  const { topic = "orders", ...rest } = event;
  const values = { event_type: "order_created", ...rest };
  const stream = key === "shared" ? sharedKey(topic) : partitionKey(topic, String(event.tenant_id));
  return { key: stream, fields: form === "fields" ? textFields(values) : ["m", pack(withoutUndefined(values))] };
}

export async function addEntry(redis: Redis, key: string, fields: readonly (string | Buffer)[]): Promise<string> {
  return (await redis.xadd(key, "*", ...fields))!;
}

export function sharedKey(topic: Topic): string {
  return `ragline:stream:${topic}`;
}

export function partitionKey(topic: Topic, tenant: string): string {
  return `ragline:stream:${topic}:{${partitionOf(tenant, DEFAULT_PARTITIONS)}}`;
}

function textFields({ payload, ...values }: Record<string, unknown>): string[] {
  const fields = { ...withoutUndefined(values), payload: JSON.stringify(payload), source_service: "tests", version: 1 };
  return Object.entries(fields).flatMap(([name, value]) => [name, String(value)]);
}

function withoutUndefined(values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
