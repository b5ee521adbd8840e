import { partitionOf } from "./partition.js";

/** A Redis stream the gateway reads. */
export interface StreamRef {
  readonly key: string;
  readonly topic: string;
  /** null: the shared stream of the topic, which holds entries of every tenant. */
  readonly partition: number | null;
}

/** What one worker owns as a whole: a partition of every topic, or the shared stream of one topic. */
export type UnitId = `partition:${number}` | `shared:${string}`;

/** How the gateway's streams are named and cut. */
export interface StreamLayout {
  readonly prefix: string;
  readonly topics: readonly string[];
  readonly partitions: number;
}

export function sharedStream({ prefix }: StreamLayout, topic: string): StreamRef {
  return { key: `${prefix}${topic}`, topic, partition: null };
}

/** The braces make Redis Cluster hash the partition alone, so that all topics of a partition share a slot. */
export function partitionStream({ prefix }: StreamLayout, topic: string, partition: number): StreamRef {
  return { key: `${prefix}${topic}:{${partition}}`, topic, partition };
}

export function allUnits({ topics, partitions }: StreamLayout): UnitId[] {
  const partitionUnits = Array.from({ length: partitions }, (_, p): UnitId => `partition:${p}`);
  return [...partitionUnits, ...topics.map((topic): UnitId => `shared:${topic}`)];
}

export function unitStreams(layout: StreamLayout, unit: UnitId): StreamRef[] {
  const [kind, name] = splitUnit(unit);
  if (kind === "shared") return [sharedStream(layout, name)];
  return layout.topics.map((topic) => partitionStream(layout, topic, Number(name)));
}

/** The two streams of each topic that can hold a tenant's events. */
export function tenantStreams(layout: StreamLayout, topics: readonly string[], tenant: string): StreamRef[] {
  const partition = partitionOf(tenant, layout.partitions);
  return topics.flatMap((topic) => [sharedStream(layout, topic), partitionStream(layout, topic, partition)]);
}

function splitUnit(unit: UnitId): [kind: string, name: string] {
  const colon = unit.indexOf(":");
  return [unit.slice(0, colon), unit.slice(colon + 1)];
}
