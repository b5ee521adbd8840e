import type { RedisClient } from "../redis/connect.js";
import { Script } from "../redis/script.js";

/** An event with its place in Redis. */
export interface Addition {
  readonly streamKey: string;
  /** null: the event is added without looking whether it was before. */
  readonly dedupeKey: string | null;
  readonly packed: Uint8Array;
}

/** How long an `event_id` is remembered, milliseconds. */
const DEDUPE_MS = 24 * 60 * 60 * 1000;

/**
 * KEYS: the streams, then the dedupe keys, each once. ARGV: number of streams, MAXLEN (0: never trim), DEDUPE_MS, then
 * for each event the index in KEYS of its stream, that of its dedupe key (0: none), and the packed entry.
 *
 * All reading comes before the first write, so that whatever goes wrong goes wrong before anything was added. Redis
 * itself refuses a script for want of memory at its first write only.
 */
const ADD = new Script(`
local streams, maxlen, keep = tonumber(ARGV[1]), ARGV[2], ARGV[3]
for i = 1, streams do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'stream' and kind ~= 'none' then return redis.error_reply('WRONGTYPE not a stream') end
end
local known = {}
for i = streams + 1, #KEYS do known[i] = redis.call('GET', KEYS[i]) end

local ids = {}
for i = 4, #ARGV, 3 do
  local stream, dedupe, packed = KEYS[tonumber(ARGV[i])], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local id = known[dedupe]
  if not id then
    if maxlen == '0' then
      id = redis.call('XADD', stream, '*', 'm', packed)
    else
      id = redis.call('XADD', stream, 'MAXLEN', '~', maxlen, '*', 'm', packed)
    end
    if dedupe > 0 then
      known[dedupe] = id
      redis.call('SET', KEYS[dedupe], id, 'PX', keep)
    end
  end
  ids[#ids + 1] = id
end
return ids`);

/**
 * Adds all of these or none, in one script call; in a cluster all keys have to share a hash slot.
 *
 * @returns entry ids in order; for an event known already, the id it was first added under
 */
export async function addAll(client: RedisClient, additions: readonly Addition[], maxLen: number): Promise<string[]> {
  const streamKeys = additions.map((addition) => addition.streamKey);
  const dedupeKeys = additions.flatMap((addition) => addition.dedupeKey ?? []);
  const streams = indexFrom(1, streamKeys);
  const dedupes = indexFrom(1 + streams.size, dedupeKeys);
  const events = additions.flatMap(({ streamKey, dedupeKey, packed }) => [
    String(streams.get(streamKey)),
    dedupeKey === null ? "0" : String(dedupes.get(dedupeKey)),
    asBuffer(packed),
  ]);
  const keys = [...streams.keys(), ...dedupes.keys()];
  const values = [String(streams.size), String(maxLen), String(DEDUPE_MS), ...events];
  return (await ADD.run(client, keys, values)) as string[];
}

/** Distinct keys with their positions, counted from `first`. */
function indexFrom(first: number, keys: readonly string[]): Map<string, number> {
  const positions = new Map<string, number>();
  for (const key of keys) if (!positions.has(key)) positions.set(key, first + positions.size);
  return positions;
}

/** The client would send any other kind of bytes as text. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
