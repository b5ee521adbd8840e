import { setImmediate } from "node:timers/promises";
import { RefusalError } from "../protocol/errors.js";
import { isEventType, MAX_ENTRY_BYTES, MAX_TYPE_BYTES } from "../protocol/event.js";
import { MAX_NAME_BYTES, readName } from "../protocol/identity.js";
import { packEntry } from "./entry.js";
import { payloadProblem } from "./payload.js";

/** What the sender may publish. */
export interface PublishRules {
  readonly topics: readonly string[];
  /** The tenant of an item that names none; null: every item has to name one. */
  readonly ownTenant: string | null;
  /** Whether an item may name another tenant than the own one. */
  readonly anyTenant: boolean;
}

/** An item that has passed every rule, packed as it will stand in its stream. */
export interface CheckedEvent {
  readonly topic: string;
  readonly tenant: string;
  /** The sender's own `event_id`: the event is added once. null: the sender gave none. */
  readonly dedupeId: string | null;
  readonly packed: Uint8Array;
}

type Item = ReadonlyMap<string, unknown>;

const FIELDS = ["topic", "event_type", "payload", "event_id", "user_id", "target_user_id", "tenant_id"];
const A_NAME = `must be text of 1 to ${MAX_NAME_BYTES} bytes, or an integer below 2^53`;
const A_TYPE = `must be text of 1 to ${MAX_TYPE_BYTES} bytes without control characters`;
const LONGEST_ECHO = 64;

/** Most events of one request: they are added by one script, and Redis serves nobody else meanwhile (about 0.6 s). */
export const MAX_REQUEST_ITEMS = 50_000;
/** Items checked in one turn of the event loop, about 5 ms of work. */
const ITEMS_PER_TURN = 250;

/** Checks all items of a request, without holding up the event loop. @throws RefusalError as `checkItem` does */
export async function checkItems(values: readonly unknown[], rules: PublishRules): Promise<CheckedEvent[]> {
  if (values.length > MAX_REQUEST_ITEMS) {
    throw new RefusalError("too_large", `the request has more than ${MAX_REQUEST_ITEMS} items`);
  }
  const events: CheckedEvent[] = [];
  for (const [index, value] of values.entries()) {
    if (index > 0 && index % ITEMS_PER_TURN === 0) await setImmediate();
    events.push(checkItem(value, index, rules));
  }
  return events;
}

/**
 * Checks one item `{topic, event_type, payload, event_id?, user_id?, target_user_id?, tenant_id?}`. Of the optional
 * fields, null counts as absent.
 *
 * @param index of the item in its request, from 0; every message starts with it and names the field
 * @throws RefusalError bad_request; forbidden for another tenant's event; too_large for one of more than 1 MiB
 */
export function checkItem(value: unknown, index: number, rules: PublishRules): CheckedEvent {
  const refuse = (problem: string) => new RefusalError("bad_request", `item ${index}: ${problem}`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse("must be an object");
  const item: Item = new Map(Object.entries(value));
  for (const name of item.keys()) if (!FIELDS.includes(name)) throw refuse(`unknown field ${echo(name)}`);

  const topic = item.get("topic");
  if (topic === undefined) throw refuse("topic: missing");
  if (typeof topic !== "string" || !rules.topics.includes(topic)) throw refuse("topic: unknown topic");
  const event_type = item.get("event_type");
  if (event_type === undefined) throw refuse("event_type: missing");
  if (!isEventType(event_type)) throw refuse(`event_type: ${A_TYPE}`);
  const payload = item.get("payload");
  if (payload === undefined) throw refuse("payload: missing");
  const problem = payloadProblem(payload);
  if (problem !== null) throw refuse(`payload: ${problem}`);

  const tenant_id = optionalName(item, "tenant_id", refuse) ?? rules.ownTenant;
  if (tenant_id === null) throw refuse("tenant_id: missing");
  if (tenant_id !== rules.ownTenant && !rules.anyTenant) {
    throw new RefusalError("forbidden", `item ${index}: tenant_id: another tenant's events need the role service`);
  }
  const event_id = optionalName(item, "event_id", refuse);
  const user_id = optionalName(item, "user_id", refuse);
  const target_user_id = optionalName(item, "target_user_id", refuse);

  const packed = packEntry({ event_type, payload, tenant_id, event_id, user_id, target_user_id });
  if (packed.length > MAX_ENTRY_BYTES) {
    throw new RefusalError("too_large", `item ${index}: the event has more than ${MAX_ENTRY_BYTES} bytes`);
  }
  return { topic, tenant: tenant_id, dedupeId: event_id, packed };
}

function optionalName(item: Item, field: string, refuse: (problem: string) => RefusalError): string | null {
  const value = item.get(field);
  if (value === undefined || value === null) return null;
  const name = readName(value);
  if (name === null) throw refuse(`${field}: ${A_NAME}`);
  return name;
}

/** The sender's own word comes back quoted, and never without bound. */
function echo(name: string): string {
  return JSON.stringify(name.slice(0, LONGEST_ECHO));
}
