import type { BatchRecord, BatchSection } from "../../protocol/batch.js";
import { compareEntryIds, type EntryId, ZERO_ID } from "../../protocol/entry-id.js";
import { StreamLog } from "./stream-log.js";

/** Bytes an event takes besides its encoded forms: record, id, type, places in lists. Measured were 300 to 400. */
export const RECORD_OVERHEAD = 512;
/** Bytes kept while anyone catches up, whatever the limit: what comes while Redis is asked, so that it can be joined. */
export const LEAST_WHILE_CATCHING_UP = 1024 * 1024;

const LARGEST_SLAB = 64 * 1024;
/** The oldest events leave a slab at a time: at most this part of all. */
const SLABS = 16;

/** Encoded events of any tenants in the order they came; they are forgotten together. */
interface Slab {
  readonly bytes: Uint8Array;
  used: number;
  /** Of each event, the log it stands in. */
  readonly logs: StreamLog[];
}

/**
 * Recent events of the tenants that are served by this worker, in memory, so that most who return need not ask Redis.
 * The encoded bytes are copied into slabs of its own: an event relayed with many others would keep them all alive.
 * What has to go when it is full are the oldest events, whoever's they are.
 */
export class History {
  readonly #maxBytes: number;
  /** By tenant, then by stream. */
  readonly #tenants = new Map<string, Map<string, StreamLog>>();
  readonly #slabs: Slab[] = [];
  #bytes = 0;
  #catchingUp = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes in use: never more than the larger of the limit and, while anyone catches up, `LEAST_WHILE_CATCHING_UP`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param positions of all streams that hold the tenant's events: from there on every one of them comes to `keep`. */
  open(tenant: string, positions: ReadonlyMap<string, { readonly id: EntryId }>): void {
    if (this.#tenants.has(tenant)) return;
    this.#tenants.set(tenant, new Map([...positions].map(([key, { id }]) => [key, new StreamLog(id)])));
  }

  /** The tenant's events no longer come here. */
  close(tenant: string): void {
    for (const log of this.#tenants.get(tenant)?.values() ?? []) log.isGivenUp = true;
    this.#tenants.delete(tenant);
  }

  /** Sections of streams in their order; what comes a second time is passed over. */
  keep(sections: readonly BatchSection[]): void {
    for (const { streamKey, records } of sections) {
      for (const record of records) {
        const log = this.#tenants.get(record.tenant)?.get(streamKey);
        if (log !== undefined && compareEntryIds(record.id, log.lastId) > 0) this.#add(log, record);
      }
    }
  }

  log(tenant: string, streamKey: string): StreamLog | undefined {
    return this.#tenants.get(tenant)?.get(streamKey);
  }

  /** The stream goes on after `floor`: nothing that was kept of it counts any more. */
  forgetStream(streamKey: string, floor: EntryId = ZERO_ID): void {
    for (const logs of this.#tenants.values()) {
      const log = logs.get(streamKey);
      if (log === undefined) continue;
      log.isGivenUp = true;
      logs.set(streamKey, new StreamLog(floor));
    }
  }

  catchUpStarts(): void {
    this.#catchingUp++;
  }

  catchUpEnds(): void {
    this.#catchingUp--;
    this.#makeRoom(0);
  }

  #add(log: StreamLog, record: BatchRecord): void {
    const { jsonTail, msgpackTail } = record;
    const length = jsonTail.length + msgpackTail.length;
    if (length + RECORD_OVERHEAD > this.#limit()) {
      this.#makeRoom(Number.POSITIVE_INFINITY);
      log.pass(record.id);
      return;
    }
    const slab = this.#slabFor(length);
    log.add({ ...record, jsonTail: copyInto(slab, jsonTail), msgpackTail: copyInto(slab, msgpackTail) });
    slab.logs.push(log);
    this.#bytes += RECORD_OVERHEAD;
    this.#makeRoom(0);
  }

  #slabFor(length: number): Slab {
    const last = this.#slabs.at(-1);
    if (last !== undefined && last.bytes.length - last.used >= length) return last;
    const capacity = Math.max(length, Math.min(LARGEST_SLAB, Math.floor(this.#limit() / SLABS)));
    this.#makeRoom(capacity + RECORD_OVERHEAD);
    const slab: Slab = { bytes: new Uint8Array(new ArrayBuffer(capacity)), used: 0, logs: [] };
    this.#slabs.push(slab);
    this.#bytes += capacity;
    return slab;
  }

  #limit(): number {
    return this.#catchingUp > 0 ? Math.max(this.#maxBytes, LEAST_WHILE_CATCHING_UP) : this.#maxBytes;
  }

  /** Forgets the oldest slabs until so many bytes more are within the limit. */
  #makeRoom(bytes: number): void {
    const limit = this.#limit();
    while (this.#slabs.length > 0 && this.#bytes + bytes > limit) {
      const { bytes: slab, logs } = this.#slabs.shift()!;
      for (const log of logs) if (!log.isGivenUp) log.dropOldest();
      this.#bytes -= slab.length + logs.length * RECORD_OVERHEAD;
    }
  }
}

function copyInto(slab: Slab, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return NOTHING;
  slab.bytes.set(bytes, slab.used);
  const start = slab.used;
  slab.used += bytes.length;
  return slab.bytes.subarray(start, slab.used);
}

const NOTHING = new Uint8Array(0);
