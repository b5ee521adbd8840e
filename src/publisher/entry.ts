import { randomUUID } from "node:crypto";
import { packMessage } from "../protocol/msgpack.js";

/** What an entry is made of, under the names it has in the stream. null: left out. */
export interface EntryValues {
  readonly event_type: string;
  readonly payload: unknown;
  readonly tenant_id: string;
  readonly event_id: string | null;
  readonly user_id: string | null;
  readonly target_user_id: string | null;
}

/** The value of a compact entry's field `m`; an event without an id gets one. */
export function packEntry({ event_id, user_id, target_user_id, ...values }: EntryValues): Uint8Array {
  return packMessage({
    ...values,
    event_id: event_id ?? randomUUID(),
    created_at: new Date().toISOString(),
    ...(user_id !== null && { user_id }),
    ...(target_user_id !== null && { target_user_id }),
  });
}
