import { type EntryId, previousEntryId, ZERO_ID } from "../../protocol/entry-id.js";
import type { StreamRef } from "../../protocol/stream.js";
import type { RedisClient } from "../../redis/connect.js";
import { createGroup, groupPosition, streamState } from "../../redis/streams.js";

export interface Attached {
  /** Everything up to here was delivered before, or came before the gateway. */
  readonly position: EntryId;
  /** The group was made: nobody can have read in its name, nor still be about to. */
  readonly isNew: boolean;
}

/**
 * Makes sure the gateway's group reads a stream: a new one starts at the live end, or where `resumeAt` says, which is
 * the last entry processed before the group was lost.
 */
export async function attachStream(
  client: RedisClient,
  group: string,
  { key }: StreamRef,
  resumeAt: EntryId | undefined,
): Promise<Attached> {
  const start = resumeAt ?? (await streamState(client, key))?.lastId ?? ZERO_ID;
  if (await createGroup(client, key, group, start)) return { position: start, isNew: true };
  const { lastDelivered, firstPending } = await groupPosition(client, key, group);
  return { position: firstPending === null ? lastDelivered : previousEntryId(firstPending), isNew: false };
}
