import type { Redis } from "ioredis";
import { type EntryId, ZERO_ID } from "../protocol/entry-id.js";
import type { RawEntry } from "../protocol/event.js";
import type { RedisClient } from "./connect.js";
import { deadLetterKey } from "./keys.js";
import { Script } from "./script.js";

export interface StreamState {
  readonly lastId: EntryId;
  /** null when the stream holds no entry. */
  readonly firstId: EntryId | null;
  readonly length: number;
  /** Entries ever trimmed or deleted. null: Redis before 7.0 does not count. */
  readonly removed: number | null;
  /** The largest id XDEL ever removed, 0-0 for none; trimming leaves it alone. null: Redis before 7.0 does not say. */
  readonly maxDeletedId: EntryId | null;
}

export interface GroupRead {
  readonly group: string;
  readonly consumer: string;
  readonly keys: readonly string[];
  /** `>` for new entries; an id for what was delivered after it and not acknowledged. */
  readonly after: ">" | EntryId;
  /** Most entries of each stream. */
  readonly count: number;
  /** Milliseconds to wait for the first entry; undefined: answer at once. */
  readonly blockMs?: number;
}

type StreamReply = [key: Buffer, entries: [id: Buffer, fields: Buffer[] | null][]][];

/** XREADGROUP over many streams. @returns entries by stream key, in id order. */
export async function readGroup(client: RedisClient, read: GroupRead): Promise<Map<string, RawEntry[]>> {
  const { group, consumer, keys, after, count, blockMs } = read;
  const block = blockMs === undefined ? [] : ["BLOCK", blockMs];
  const ids = keys.map(() => after);
  const args = ["GROUP", group, consumer, "COUNT", count, ...block, "STREAMS", ...keys, ...ids];
  const reply = (await client.callBuffer("XREADGROUP", ...args)) as StreamReply | null;
  return new Map((reply ?? []).map(([key, entries]) => [key.toString(), entries.map(toRawEntry)]));
}

/** Entries after `after` up to and including `to`, at most `count`, oldest first. */
export async function readRange(
  client: RedisClient,
  key: string,
  after: EntryId,
  to: EntryId,
  count: number,
): Promise<RawEntry[]> {
  const reply = await client.xrangeBuffer(key, `(${after}`, to, "COUNT", count);
  return (reply as [Buffer, Buffer[]][]).map(toRawEntry);
}

/** The newest `count` entries after `after` up to and including `to`, oldest first. */
export async function readRangeEnd(
  client: RedisClient,
  key: string,
  after: EntryId,
  to: EntryId,
  count: number,
): Promise<RawEntry[]> {
  const reply = await client.xrevrangeBuffer(key, to, `(${after}`, "COUNT", count);
  return (reply as [Buffer, Buffer[]][]).map(toRawEntry).reverse();
}

/** One XACK per stream, all in one pipeline. */
export async function acknowledge(
  client: RedisClient,
  group: string,
  idsByKey: ReadonlyMap<string, readonly EntryId[]>,
): Promise<void> {
  await Promise.all([...idsByKey].map(([key, ids]) => client.xack(key, group, ...ids)));
}

/** @returns null when there is no such stream. */
export async function streamState(client: RedisClient, key: string): Promise<StreamState | null> {
  try {
    return readStreamState((await client.xinfo("STREAM", key)) as unknown[]);
  } catch (error) {
    if (error instanceof Error && error.message.includes("no such key")) return null;
    throw error;
  }
}

/** Of each stream what `streamState` says, as one command: ids and numbers only, where XINFO sends whole entries. */
const STREAM_STATES = new Script(`
local states = {}
for i, key in ipairs(KEYS) do
  states[i] = false
  if redis.call('EXISTS', key) == 1 then
    local info = redis.call('XINFO', 'STREAM', key)
    local state = {}
    for j = 1, #info, 2 do state[info[j]] = info[j + 1] end
    local first = state['first-entry']
    states[i] = {
      state['last-generated-id'], first and first[1] or '', state['length'],
      state['entries-added'] or -1, state['max-deleted-entry-id'] or '',
    }
  end
end
return states`);

type StateReply = [lastId: string, firstId: string, length: number, added: number, maxDeleted: string];

/** @param keys of one hash slot, in a cluster. @returns in their order; null where there is no such stream. */
export async function streamStates(client: RedisClient, keys: readonly string[]): Promise<(StreamState | null)[]> {
  if (keys.length === 0) return [];
  const replies = (await STREAM_STATES.run(client, keys, [])) as (StateReply | null)[];
  return replies.map((reply) => {
    if (reply === null) return null;
    const [lastId, firstId, length, added, maxDeleted] = reply;
    return {
      lastId,
      firstId: firstId === "" ? null : firstId,
      length,
      removed: added < 0 ? null : added - length,
      maxDeletedId: maxDeleted === "" ? null : maxDeleted,
    };
  });
}

/** Creates the group, and the stream if there is none. @returns false when the group was there already. */
export async function createGroup(client: RedisClient, key: string, group: string, start: EntryId): Promise<boolean> {
  try {
    await client.xgroup("CREATE", key, group, start, "MKSTREAM");
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("BUSYGROUP")) return false;
    throw error;
  }
}

/** Lets the group begin at the first entry there is, and forget what it was given. Creates the stream if there is none. */
export async function restartGroup(client: RedisClient, key: string, group: string): Promise<void> {
  if (await createGroup(client, key, group, ZERO_ID)) return;
  await client.xgroup("DESTROY", key, group);
  await createGroup(client, key, group, ZERO_ID);
}

/** Where a group stands: the last entry it was given, and the earliest of those not yet acknowledged. */
export async function groupPosition(
  client: RedisClient,
  key: string,
  group: string,
): Promise<{ lastDelivered: EntryId; firstPending: EntryId | null }> {
  const groups = (await client.xinfo("GROUPS", key)) as unknown[][];
  const found = groups.map(toRecord).find((record) => record.get("name") === group);
  const [, firstPending] = (await client.xpending(key, group)) as [number, EntryId | null, ...unknown[]];
  return { lastDelivered: String(found?.get("last-delivered-id") ?? ZERO_ID), firstPending };
}

/**
 * Removes the group, and the stream too if creating the group is all that ever happened to it: a gateway leaves nothing
 * behind. In one script, because a producer may add to the stream at any moment.
 */
const REMOVE_GROUP = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local state = {}
for i = 1, #info, 2 do state[info[i]] = info[i + 1] end
if state['length'] == 0 and state['groups'] == 0 and state['last-generated-id'] == '0-0' then
  redis.call('DEL', KEYS[1])
end
return 1`;

export async function removeGroup(client: RedisClient, key: string, group: string): Promise<void> {
  await client.eval(REMOVE_GROUP, 1, key, group);
}

/** Seconds a canary stream outlives its reader. */
const CANARY_SECONDS = 3_600;

/** An entry that carries nothing. Earlier ones are trimmed. */
export async function addCanary(client: RedisClient, key: string): Promise<void> {
  await client.xadd(key, "MAXLEN", 1, "*", "canary", "");
  await client.expire(key, CANARY_SECONDS);
}

/** Newest dead letters kept for each topic; older ones are trimmed. */
const DEAD_LETTERS_KEPT = 10_000;

/** Keeps the entry's own fields, and adds its id, its stream and the reason. */
export async function addDeadLetter(
  client: RedisClient,
  topic: string,
  letter: { key: string; entry: RawEntry; reason: string },
): Promise<void> {
  const { key, entry, reason } = letter;
  const fields = (entry.fields ?? []) as readonly Buffer[];
  const about = ["id", entry.id, "stream", key, "reason", reason];
  await client.xadd(deadLetterKey(topic), "MAXLEN", "~", DEAD_LETTERS_KEPT, "*", ...fields, ...about);
}

/** The nodes that hold streams: all masters of a cluster, else the one server. */
export function dataNodes(client: RedisClient): RedisClient[] {
  return "nodes" in client ? (client.nodes("master") as Redis[]) : [client];
}

function toRawEntry([id, fields]: [id: Buffer, fields: Buffer[] | null]): RawEntry {
  return { id: id.toString("latin1"), fields };
}

function readStreamState(reply: unknown[]): StreamState {
  const info = toRecord(reply);
  const first = info.get("first-entry") as [EntryId, ...unknown[]] | null;
  const length = Number(info.get("length"));
  const added = info.get("entries-added");
  const maxDeleted = info.get("max-deleted-entry-id");
  return {
    lastId: String(info.get("last-generated-id")),
    firstId: first?.[0] ?? null,
    length,
    removed: added === undefined ? null : Number(added) - length,
    maxDeletedId: maxDeleted === undefined ? null : String(maxDeleted),
  };
}

function toRecord(reply: unknown[]): Map<string, unknown> {
  const record = new Map<string, unknown>();
  for (let i = 0; i + 1 < reply.length; i += 2) record.set(String(reply[i]), reply[i + 1]);
  return record;
}
