import type { RawEntry, RawSection } from "../protocol/event.js";

/**
 * Raw entries packed for a thread: all values in one buffer that is transferred, not cloned, because cloning thousands
 * of small buffers costs more than encoding them.
 */
export interface PackedEntries {
  readonly sections: readonly { key: string; topic: string; ids: readonly string[]; fieldCounts: readonly number[] }[];
  /** Lengths of all names and values, in order. */
  readonly lengths: Uint32Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Stands for an entry that was deleted while it was pending. */
const DELETED = -1;

/** Plain loops: this is the main thread's share of the work, and `flatMap` over all values takes ten times as long. */
export function packEntries(raw: readonly RawSection[]): PackedEntries {
  const { values, size } = measure(raw);
  const lengths = new Uint32Array(values);
  const bytes = new Uint8Array(size);
  let index = 0;
  let at = 0;
  for (const { entries } of raw) {
    for (const { fields } of entries) {
      for (const value of fields ?? []) {
        lengths[index++] = value.length;
        bytes.set(value, at);
        at += value.length;
      }
    }
  }
  const sections = raw.map(({ key, topic, entries }) => ({
    key,
    topic,
    ids: entries.map(({ id }) => id),
    fieldCounts: entries.map(({ fields }) => fields?.length ?? DELETED),
  }));
  return { sections, lengths, bytes };
}

function measure(raw: readonly RawSection[]): { values: number; size: number } {
  let values = 0;
  let size = 0;
  for (const { entries } of raw) {
    for (const { fields } of entries) {
      values += fields?.length ?? 0;
      for (const value of fields ?? []) size += value.length;
    }
  }
  return { values, size };
}

export function unpackEntries({ sections, lengths, bytes }: PackedEntries): RawSection[] {
  let at = 0;
  let index = 0;
  const nextValue = () => {
    const start = at;
    at += lengths[index++]!;
    return bytes.subarray(start, at);
  };
  return sections.map(({ key, topic, ids, fieldCounts }) => ({
    key,
    topic,
    entries: ids.map((id, i): RawEntry => {
      const count = fieldCounts[i]!;
      return { id, fields: count === DELETED ? null : Array.from({ length: count }, nextValue) };
    }),
  }));
}

export function transferListOf({ lengths, bytes }: PackedEntries): ArrayBuffer[] {
  return [lengths.buffer, bytes.buffer];
}
