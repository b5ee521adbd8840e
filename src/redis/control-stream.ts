import type { EntryId } from "../protocol/entry-id.js";
import type { RawEntry } from "../protocol/event.js";
import { type Revocation, revocationFields } from "../protocol/revocation.js";
import type { RedisClient } from "./connect.js";
import { CONTROL_KEY } from "./keys.js";

/** Tells every worker of every gateway that reads this Redis. @returns the entry's id. */
export async function addRevocation(client: RedisClient, revocation: Revocation): Promise<EntryId> {
  return (await client.xadd(CONTROL_KEY, "*", ...revocationFields(revocation)))!;
}

/** Entries after `after`, at most `count`, oldest first. */
export async function readControl(client: RedisClient, after: EntryId, count: number): Promise<RawEntry[]> {
  const reply = await client.xreadBuffer("COUNT", count, "STREAMS", CONTROL_KEY, after);
  const [stream] = (reply ?? []) as [key: Buffer, entries: [id: Buffer, fields: Buffer[]][]][];
  return (stream?.[1] ?? []).map(([id, fields]) => ({ id: id.toString("latin1"), fields }));
}

export async function removeControl(client: RedisClient, ids: readonly EntryId[]): Promise<void> {
  await client.xdel(CONTROL_KEY, ...ids);
}
