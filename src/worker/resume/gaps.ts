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
 * it wrong.
 *
 * @param state null when the stream does not exist.
 */
export function continuityOf(topic: string, { id }: Position, state: StreamState | null): Continuity {
  const intact: Continuity = { from: id, gap: null };
  if (id === ZERO_ID) return wasTrimmed(state) ? withGap(topic, "trimmed", id, state!, id) : intact;
  if (state === null || compareEntryIds(state.lastId, id) < 0) return withGap(topic, "reset", id, state, ZERO_ID);
  // Also right before the first entry, where a slow client stands that missed it: nothing fits between.
  if (state.lastId === id || (state.firstId !== null && compareEntryIds(previousEntryId(state.firstId), id) <= 0)) {
    return intact;
  }
  // The entry at the position is gone. In a stream that never lost one, it was never there: another stream's position.
  return wasTrimmed(state) ? withGap(topic, "trimmed", id, state, id) : withGap(topic, "reset", id, state, ZERO_ID);
}

function wasTrimmed(state: StreamState | null): boolean {
  return state !== null && state.entriesAdded > state.length;
}

function withGap(
  topic: string,
  reason: Gap["reason"],
  position: EntryId,
  state: StreamState | null,
  from: EntryId,
): Continuity {
  const to = state?.firstId ?? undefined;
  return { from, gap: { stream: topic, reason, from: position, ...(to !== undefined && { to }) } };
}
