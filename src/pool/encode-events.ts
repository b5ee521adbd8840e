import type { BatchRecord, BatchSection } from "../protocol/batch.js";
import type { EntryId } from "../protocol/entry-id.js";
import { type DeadLetterReason, type GatewayEvent, parseEntry, type RawSection } from "../protocol/event.js";
import { packMessage } from "../protocol/msgpack.js";

export interface DeadLetter {
  readonly key: string;
  readonly id: EntryId;
  readonly reason: DeadLetterReason;
}

export interface EncodedEvents {
  readonly sections: BatchSection[];
  readonly deadLetters: DeadLetter[];
}

export interface EncodeOptions {
  /** Whether anyone on the gateway takes MessagePack. */
  readonly msgpack: boolean;
  /** Events of other tenants are passed over. */
  readonly wants?: (tenant: string) => boolean;
}

const NOTHING = new Uint8Array(0);

/**
 * Parses and encodes what one read brought, each event once per format however many subscribers it has. Pure: it runs
 * in the pool's threads for large reads and in place for small ones.
 */
export function encodeEvents(raw: readonly RawSection[], options: EncodeOptions): EncodedEvents {
  const sections: BatchSection[] = [];
  const deadLetters: DeadLetter[] = [];
  for (const { key, topic, entries } of raw) {
    const records: BatchRecord[] = [];
    for (const { id, fields } of entries) {
      if (fields === null) continue;
      const result = encodeEntry(parseEntry(topic, id, fields), options);
      if (typeof result === "string") deadLetters.push({ key, id, reason: result });
      else if (result !== null) records.push(result);
    }
    const last = entries.at(-1);
    if (last !== undefined) sections.push({ streamKey: key, lastId: last.id, records });
  }
  return { sections, deadLetters };
}

function encodeEntry(
  event: GatewayEvent | DeadLetterReason,
  { msgpack, wants }: EncodeOptions,
): BatchRecord | DeadLetterReason | null {
  if (typeof event === "string") return event;
  if (wants !== undefined && !wants(event.tenant)) return null;
  const msgpackTail = msgpack ? encodeMsgpackTail(event) : NOTHING;
  return msgpackTail === null ? "payload_not_json" : encodeRecord(event, msgpackTail);
}

function encodeRecord(event: GatewayEvent, msgpackTail: Uint8Array): BatchRecord {
  const { id, tenant, type, targetUser = "", payloadJson, timestamp, topic, eventId } = event;
  const before = `,"event_type":${JSON.stringify(type)},"data":`;
  const eventIdPart = eventId === undefined ? "" : `,"event_id":${JSON.stringify(eventId)}`;
  const after = `,"timestamp":${JSON.stringify(timestamp)},"topic":${JSON.stringify(topic)}${eventIdPart}}`;
  return {
    id,
    tenant,
    type,
    target: targetUser,
    jsonTail: Buffer.from(before + payloadJson + after),
    payloadOffset: Buffer.byteLength(before),
    payloadLength: Buffer.byteLength(payloadJson),
    msgpackTail,
  };
}

/** The map of what follows the id in a message. @returns null when the payload is nested too deeply to be packed. */
function encodeMsgpackTail({ type, payload, timestamp, topic, eventId }: GatewayEvent): Uint8Array | null {
  const eventIdPart = eventId === undefined ? {} : { event_id: eventId };
  try {
    return packMessage({ event_type: type, data: payload, timestamp, topic, ...eventIdPart });
  } catch {
    return null;
  }
}
