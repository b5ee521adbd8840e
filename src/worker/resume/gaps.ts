import type { Position } from "../../protocol/cursor.js";
import { compareEntryIds, type EntryId, previousEntryId, ZERO_ID } from "../../protocol/entry-id.js";
import type { Gap } from "../../protocol/websocket.js";
import type { StreamState } from "../../redis/streams.js";

/** What became of a stream since a cursor was given out. */
export interface Continuity {
  /** Where reading can go on. */
  readonly from: EntryId;
  /** null when nothing after the position is missing. */
  readonly gap: Gap | null;
}

/**
 * Compares a position with the stream as it is now. Where entries were removed and Redis does not say whether any of
 * them stood after the position, they are taken as missing: a gap too many makes a client ask again, one too few makes
 * it wrong. docs/decisions/0006-gaps-and-epochs.md says what proves what.
 *
 * @param state null when the stream does not exist.
 * @param announced as the stream was when the last gap of it was announced: what was gone then is not said again.
 */
export function continuityOf(
  topic: string,
  { id }: Position,
  state: StreamState | null,
  announced: StreamState | null = null,
): Continuity {
  const intact: Continuity = { from: id, gap: null };
  if (state === null || compareEntryIds(state.lastId, id) < 0) {
    return id === ZERO_ID ? intact : withGap(topic, "reset", id, state, ZERO_ID);
  }
  if (!lostAfter(id, state) || (announced !== null && !lostSince(announced, state))) return intact;
  // The entry at the position is gone. In a stream that never lost one, it was never there: another stream's position.
  const wasElsewhere = state.removed === 0 && id !== ZERO_ID;
  return wasElsewhere ? withGap(topic, "reset", id, state, ZERO_ID) : withGap(topic, "trimmed", id, state, id);
}

/** Whether an entry after the position may be missing. */
function lostAfter(id: EntryId, { lastId, firstId, removed, maxDeletedId }: StreamState): boolean {
  if (lastId === id) return false;
  if (id === ZERO_ID) return removed === null ? firstId !== "0-1" : removed > 0;
  if (maxDeletedId !== null && compareEntryIds(maxDeletedId, id) > 0) return true;
  // Trimming takes the oldest: nothing fits between the position and the first entry, so nothing was taken there.
  if (firstId !== null && compareEntryIds(previousEntryId(firstId), id) <= 0) return false;
  return !(removed === 1 && maxDeletedId === id);
}

function lostSince(before: StreamState, now: StreamState): boolean {
  if (now.removed !== null && before.removed !== null) return now.removed > before.removed;
  return now.firstId !== before.firstId;
}

function withGap(
  topic: string,
  reason: Gap["reason"],
  position: EntryId,
  state: StreamState | null,
  from: EntryId,
): Continuity {
  const to = lastMissing(position, state);
  return { from, gap: { stream: topic, reason, from: position, ...(to !== undefined && { to }) } };
}

/** The first entry left, or the last one deleted, whichever comes later. */
function lastMissing(position: EntryId, state: StreamState | null): EntryId | undefined {
  const { firstId = null, maxDeletedId = null } = state ?? {};
  const deleted = maxDeletedId !== null && compareEntryIds(maxDeletedId, position) > 0 ? maxDeletedId : null;
  if (firstId === null || deleted === null) return firstId ?? deleted ?? undefined;
  return compareEntryIds(firstId, deleted) > 0 ? firstId : deleted;
}
