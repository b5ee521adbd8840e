import type { EntryFields } from "../../src/protocol/event.ts";
import { packMessage } from "../../src/protocol/msgpack.ts";

/** Names and values in turn, as Redis answers an entry in the form of fields. */
export function fieldsOf(values: Readonly<Record<string, string | Uint8Array>>): EntryFields {
  return Object.entries(values).flatMap(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
}

/** The one field of an entry in the compact form. */
export function compactOf(values: unknown): EntryFields {
  return [Buffer.from("m"), packMessage(values)];
}
