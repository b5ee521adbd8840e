import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { PerseveringClient } from "./persevering-client.ts";
import { entryOf, PLACES, type Place, type Topic } from "./xadd.ts";

/** What every event says of itself, so that it can be told from any other. */
interface Numbered {
  readonly tenant: string;
  /** Position in the list of streams. */
  readonly stream: number;
  /** From 0, without holes, for each tenant and stream. */
  readonly n: number;
}

/** A shared and a partitioned stream of one topic, and one of each of two others. */
const STREAMS: readonly (readonly [Topic, Place])[] = [
  ["orders", PLACES[0]],
  ["orders", PLACES[1]],
  ["notifications", PLACES[2]],
  ["system", PLACES[3]],
];

const TICK_MS = 50;

/** Adds events at an even rate to every kind of stream of every tenant in turn, until it is stopped. */
export class NumberedEvents {
  /** How many were added, by tenant and stream. */
  readonly added = new Map<string, number[]>();
  readonly #redis: Redis;
  readonly #perSecond: number;
  readonly #slots: { tenant: string; stream: number }[];
  #stopped = false;
  #running: Promise<void> | null = null;

  constructor(redis: Redis, tenants: readonly string[], perSecond: number) {
    this.#redis = redis;
    this.#perSecond = perSecond;
    this.#slots = tenants.flatMap((tenant) => STREAMS.map((_, stream) => ({ tenant, stream })));
    for (const tenant of tenants) {
      this.added.set(
        tenant,
        STREAMS.map(() => 0),
      );
    }
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves once the last one is in Redis. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const startedAt = performance.now();
    for (let total = 0; !this.#stopped; await delay(TICK_MS)) {
      const due = ((performance.now() - startedAt) / 1000) * this.#perSecond;
      const pipeline = this.#redis.pipeline();
      for (; total < due; total++) this.#add(pipeline, this.#slots[total % this.#slots.length]!);
      await pipeline.exec();
    }
  }

  #add(pipeline: ReturnType<Redis["pipeline"]>, { tenant, stream }: { tenant: string; stream: number }): void {
    const [topic, place] = STREAMS[stream]!;
    const counts = this.added.get(tenant)!;
    const payload: Numbered = { tenant, stream, n: counts[stream]!++ };
    const { key, fields } = entryOf({ topic, tenant_id: tenant, payload }, place);
    pipeline.xadd(key, "*", ...fields);
  }
}

/** Whether the client has as many events as were added for its tenant. */
export function hasAll({ tenant, items }: PerseveringClient, { added }: NumberedEvents): boolean {
  return items.length >= added.get(tenant)!.reduce((sum, count) => sum + count, 0);
}

/** Every difference between what a client got and what it was owed from the first event on; empty: none. */
export function differences({ tenant, items }: PerseveringClient, { added }: NumberedEvents): string[] {
  const next = added.get(tenant)!.map(() => 0);
  const found: string[] = [];
  for (const { kind, data } of items) {
    if (kind !== "event") {
      found.push(`a ${kind}: ${JSON.stringify(data)}`);
      continue;
    }
    const { tenant: from, stream, n } = data as Numbered;
    if (from !== tenant) found.push(`an event of ${from}`);
    else if (n !== next[stream]) found.push(`stream ${stream}: ${n} where ${next[stream]} was due`);
    next[stream] = n + 1;
  }
  added.get(tenant)!.forEach((count, stream) => {
    if (next[stream] !== count) found.push(`stream ${stream}: ended with ${next[stream]} of ${count}`);
  });
  return found;
}
