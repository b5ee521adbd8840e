import { type EntryId, previousEntryId, ZERO_ID } from "../../protocol/entry-id.js";
import type { StreamRef } from "../../protocol/stream.js";
import type { RedisClient } from "../../redis/connect.js";
import { createGroup, groupPosition, streamState } from "../../redis/streams.js";

/**
 * Makes sure the gateway's group reads a stream: a new one starts at the live end, or where `resumeAt` says, which is
 * the last entry processed before the group was lost.
 *
 * @returns the position: everything up to it was delivered before, or came before the gateway.
 */
export async function attachStream(
  client: RedisClient,
  group: string,
  { key }: StreamRef,
  resumeAt: EntryId | undefined,
): Promise<EntryId> {
  const start = resumeAt ?? (await streamState(client, key))?.lastId ?? ZERO_ID;
  if (await createGroup(client, key, group, start)) return start;
  const { lastDelivered, firstPending } = await groupPosition(client, key, group);
  return firstPending === null ? lastDelivered : previousEntryId(firstPending);
}
