import type { PublisherSettings } from "../config.js";
import { REFUSALS, RefusalError } from "../protocol/errors.js";
import { partitionOf } from "../protocol/partition.js";
import { partitionStream } from "../protocol/stream.js";
import type { RedisClient } from "../redis/connect.js";
import { dedupeKey } from "../redis/keys.js";
import { type Addition, addAll } from "./add-script.js";
import type { CheckedEvent } from "./item.js";

/**
 * Adds the events of one request: all of them, or none. In a cluster a script reaches one hash slot only, so there it is
 * all or none of the events of each partition.
 *
 * @returns their entry ids, in order; for an event known already, the id it was first added under
 * @throws RefusalError unavailable when Redis cannot be reached or refuses to write. After a timeout the events may have
 *   been added all the same: repeating is safe with an `event_id`.
 */
export type WriteEvents = (events: readonly CheckedEvent[]) => Promise<string[]>;

export function makeEventWriter(client: RedisClient, settings: PublisherSettings): WriteEvents {
  const layout = { prefix: settings.streamPrefix, topics: settings.topics, partitions: settings.partitions };

  function place({ topic, tenant, dedupeId, packed }: CheckedEvent): Addition & { partition: number } {
    const partition = partitionOf(tenant, layout.partitions);
    const streamKey = partitionStream(layout, topic, partition).key;
    return {
      partition,
      streamKey,
      dedupeKey: dedupeId === null ? null : dedupeKey(layout.prefix, partition, tenant, dedupeId),
      packed,
    };
  }

  async function addByPartition(events: readonly CheckedEvent[]): Promise<string[]> {
    const placed = events.map(place);
    const groups = new Map<number, Addition[]>();
    for (const addition of placed) {
      const group = groups.get(addition.partition);
      if (group === undefined) groups.set(addition.partition, [addition]);
      else group.push(addition);
    }
    const ids = new Map<Addition, string>();
    const addGroup = async (group: readonly Addition[]) => {
      const added = await addAll(client, group, settings.streamMaxLen);
      group.forEach((addition, i) => {
        ids.set(addition, added[i]!);
      });
    };
    // All are waited for, so that nothing is still being added once the answer is out.
    const outcomes = await Promise.allSettled([...groups.values()].map(addGroup));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    return placed.map((addition) => ids.get(addition)!);
  }

  return async (events) => {
    try {
      if (settings.redis.mode === "cluster") return await addByPartition(events);
      return await addAll(client, events.map(place), settings.streamMaxLen);
    } catch (error) {
      throw new RefusalError("unavailable", describeFailure(error));
    }
  };
}

/** Of what Redis answers only the code (`OOM`, `READONLY`), because the rest may repeat keys, addresses or values. */
function describeFailure(error: unknown): string {
  const isReply = error instanceof Error && error.name === "ReplyError";
  const code = isReply && /^[A-Z]+/.exec(error.message)?.[0];
  return code ? `Redis refuses to write (${code}), try again` : REFUSALS.unavailable.message;
}
