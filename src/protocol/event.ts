import type { EntryId } from "./entry-id.js";
import { entryTime } from "./entry-id.js";
import { readName } from "./identity.js";
import { packMessage, unpackMessage } from "./msgpack.js";
import { fitsUtf8, hasControlCharacter, isWellFormed } from "./text.js";

/** One event as it leaves a stream entry of either form, checked. */
export interface GatewayEvent {
  readonly id: EntryId;
  readonly topic: string;
  readonly tenant: string;
  readonly type: string;
  /** JSON on one line. */
  readonly payloadJson: string;
  readonly payload: unknown;
  /** ISO 8601: the producer's `created_at`, else the time in the entry's id. */
  readonly timestamp: string;
  readonly eventId?: string;
  /** Only this user's connections get the event. */
  readonly targetUser?: string;
}

/** Why an entry can be delivered to nobody: the `reason` of its dead letter. */
export type DeadLetterReason =
  | "no_tenant"
  | "no_type"
  | "invalid_type"
  | "invalid_target"
  | "invalid_utf8"
  | "no_payload"
  | "payload_not_json"
  | "not_messagepack"
  | "too_large";

/** Largest entry that is delivered: the sum of its values, 1 MiB. */
export const MAX_ENTRY_BYTES = 1 << 20;
export const MAX_TYPE_BYTES = 256;
/** With a space as well as a `T`, as RFC 3339 section 5.6 allows and Python's `str` writes. */
const ISO_8601 = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/** Names and values in turn, as Redis answers them. */
export type EntryFields = readonly Uint8Array[];

/** One stream entry as Redis answers it. `fields` is null for a pending entry that has since been deleted. */
export interface RawEntry {
  readonly id: EntryId;
  readonly fields: EntryFields | null;
}

/** Entries of one stream, in id order. */
export interface RawSection {
  readonly key: string;
  readonly topic: string;
  readonly entries: readonly RawEntry[];
}

/** The fields that are read. What else an entry holds is not looked at, and need not be text. */
const FIELD_NAMES = ["event_type", "payload", "tenant_id", "event_id", "target_user_id", "created_at"] as const;
type FieldName = (typeof FIELD_NAMES)[number];
const KNOWN_NAMES = FIELD_NAMES.map((name) => [name, new TextEncoder().encode(name)] as const);

/** Neither replaces bytes nor drops a byte order mark: two different names must never read as one. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function parseEntry(topic: string, id: EntryId, fields: EntryFields): GatewayEvent | DeadLetterReason {
  if (entrySize(fields) > MAX_ENTRY_BYTES) return "too_large";
  return isCompact(fields) ? parseCompact(topic, id, fields[1]!) : parseFields(topic, id, fields);
}

/** Bytes of the values of an entry. */
export function entrySize(fields: EntryFields): number {
  let size = 0;
  for (let i = 1; i < fields.length; i += 2) size += fields[i]!.length;
  return size;
}

function isCompact(fields: EntryFields): boolean {
  return fields.length === 2 && fields[0]!.length === 1 && fields[0]![0] === 0x6d; // "m"
}

function parseCompact(topic: string, id: EntryId, packed: Uint8Array): GatewayEvent | DeadLetterReason {
  let values: Record<string, unknown>;
  try {
    values = unpackMessage(packed) as Record<string, unknown>;
  } catch {
    return "not_messagepack";
  }
  if (typeof values !== "object" || values === null || Array.isArray(values)) return "not_messagepack";
  if (values.payload === undefined) return "no_payload";
  const payloadJson = stringifyPayload(values.payload);
  if (payloadJson === null) return "payload_not_json";
  const event = makeEvent(topic, id, values, values.payload, payloadJson);
  return typeof event !== "string" && hasReplacedBytes(event, packed) ? "invalid_utf8" : event;
}

/** The MessagePack reader puts U+FFFD where bytes are not UTF-8, so two different names would read as one. */
function hasReplacedBytes({ tenant, type, targetUser = "" }: GatewayEvent, packed: Uint8Array): boolean {
  // A name may hold that character itself, and then stands in the entry as it is.
  return [tenant, type, targetUser].some((name) => name.includes("\ufffd") && !holds(packed, packMessage(name)));
}

function holds(bytes: Uint8Array, part: Uint8Array): boolean {
  for (let at = bytes.indexOf(part[0]!); at >= 0; at = bytes.indexOf(part[0]!, at + 1)) {
    if (part.every((byte, i) => byte === bytes[at + i])) return true;
  }
  return false;
}

function parseFields(topic: string, id: EntryId, fields: EntryFields): GatewayEvent | DeadLetterReason {
  const values: { [name in FieldName]?: string } = {};
  try {
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = knownName(fields[i]!);
      if (name !== undefined) values[name] = utf8.decode(fields[i + 1]);
    }
  } catch {
    return "invalid_utf8";
  }
  if (values.payload === undefined) return "no_payload";
  let payload: unknown;
  try {
    payload = JSON.parse(values.payload);
  } catch {
    return "payload_not_json";
  }
  return makeEvent(topic, id, values, payload, onOneLine(values.payload));
}

/** Compares bytes, because decoding every name takes as long as all the rest. */
function knownName(bytes: Uint8Array): FieldName | undefined {
  for (const [name, known] of KNOWN_NAMES) {
    if (known.length === bytes.length && known.every((byte, i) => byte === bytes[i])) return name;
  }
  return undefined;
}

function makeEvent(
  topic: string,
  id: EntryId,
  values: { readonly [name in FieldName]?: unknown },
  payload: unknown,
  payloadJson: string,
): GatewayEvent | DeadLetterReason {
  const tenant = readName(present(values.tenant_id) ?? tenantInside(payload));
  if (tenant === null) return "no_tenant";
  const type = values.event_type;
  if (typeof type !== "string" || type === "") return "no_type";
  if (!isEventType(type)) return "invalid_type";
  const eventId = readName(present(values.event_id));
  const target = present(values.target_user_id);
  const targetUser = readName(target);
  if (target !== undefined && targetUser === null) return "invalid_target";
  return {
    id,
    topic,
    tenant,
    type,
    payload,
    payloadJson,
    timestamp: readTimestamp(values.created_at) ?? new Date(entryTimeForDate(id)).toISOString(),
    ...(eventId !== null && { eventId }),
    ...(targetUser !== null && { targetUser }),
  };
}

/** Text of 1 to 256 bytes that can stand on a line of an event stream. */
export function isEventType(value: unknown): value is string {
  if (typeof value !== "string" || value === "" || hasControlCharacter(value) || !isWellFormed(value)) return false;
  return fitsUtf8(value, MAX_TYPE_BYTES);
}

function present(value: unknown): unknown {
  return value === undefined || value === null || value === "" ? undefined : value;
}

function tenantInside(payload: unknown): unknown {
  if (typeof payload !== "object" || payload === null || !Object.hasOwn(payload, "tenant_id")) return undefined;
  return (payload as { tenant_id: unknown }).tenant_id;
}

/** Raw line ends are legal in JSON only between tokens, where a space does as well (RFC 8259 section 2). */
function onOneLine(json: string): string {
  return json.replace(/[\r\n]+/g, " ");
}

/** @returns null when the value has no JSON form, or is nested too deeply for the stack. */
function stringifyPayload(payload: unknown): string | null {
  // Few payloads hold a bigint, and a replacer doubles the cost of all.
  return tryStringify(payload) ?? tryStringify(payload, bigintAsNumber);
}

function tryStringify(value: unknown, replacer?: (key: string, value: unknown) => unknown): string | null {
  try {
    return JSON.stringify(value, replacer) ?? null;
  } catch {
    return null;
  }
}

function bigintAsNumber(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

function readTimestamp(value: unknown): string | null {
  if (typeof value !== "string" || !ISO_8601.test(value)) return null;
  return Number.isNaN(Date.parse(value)) ? null : value;
}

/** Custom ids may lie outside what a Date can hold, ±8.64e15 ms (ECMA-262 section 21.4.1.1). */
function entryTimeForDate(id: EntryId): number {
  return Math.min(entryTime(id), 8.64e15);
}
