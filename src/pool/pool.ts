import { extname } from "node:path";
import { Piscina } from "piscina";
import { type BatchSection, decodeBatch } from "../protocol/batch.js";
import { entrySize, type RawSection } from "../protocol/event.js";
import { type EncodedEvents, type EncodeOptions, encodeEvents } from "./encode-events.js";
import { packEntries, transferListOf } from "./raw-transfer.js";
import type { EncodedBatch, EncodeTask, ThreadData } from "./thread.js";
import type { Pending, TokenVerdict } from "./verify-tokens.js";

/** Work a worker's event loop is spared. */
export interface Pool {
  /** @returns verdicts in the order of the tokens; `pending` where the key server has yet to answer. */
  verifyTokens(tokens: readonly string[]): Promise<(TokenVerdict | Pending)[]>;
  /** Encodes what one read brought: in one task, or in place where the task would cost more than the work. */
  encode(raw: readonly RawSection[], options: EncodeOptions): Promise<EncodedEvents>;
  close(): Promise<void>;
}

/** Entries of one read up to which encoding in place wins, see docs/decisions/0003-pool-cut-over.md. */
export const ENCODE_IN_PLACE_UP_TO = 16;
/** Bytes of their values, from the same measurement: a few large events hold the event loop as long as many small ones. */
export const ENCODE_IN_PLACE_BYTES = 16 * 1024;

export interface InPlaceLimits {
  readonly entries: number;
  readonly bytes: number;
}

const IN_PLACE: InPlaceLimits = { entries: ENCODE_IN_PLACE_UP_TO, bytes: ENCODE_IN_PLACE_BYTES };

const IDLE_TIMEOUT_MS = 60_000;
/** Tasks of one thread that may wait for the key server, while others still run. */
const MOST_WAITING = 32;

/** @param inPlace reads that exceed none of these are encoded in place. */
export function openPool(threads: number, data: ThreadData, inPlace: InPlaceLimits = IN_PLACE): Pool {
  const fetchesKeys = data.tokenRules.jwksUrl !== undefined;
  const piscina = new Piscina({
    filename: new URL(`./thread${extname(import.meta.url)}`, import.meta.url).href,
    // A thread that may take a second task before the first is done is preferred to starting another thread.
    minThreads: fetchesKeys ? threads : 1,
    maxThreads: threads,
    concurrentTasksPerWorker: fetchesKeys ? MOST_WAITING : 1,
    // A thread that waits for its next task with Atomics cannot go on with a fetch meanwhile.
    atomics: fetchesKeys ? "disabled" : "sync",
    idleTimeout: IDLE_TIMEOUT_MS,
    workerData: data,
  });

  async function encodeInThread(raw: readonly RawSection[], { msgpack, wants }: EncodeOptions): Promise<EncodedEvents> {
    const packed = packEntries(raw);
    const task: EncodeTask = { packed, msgpack };
    const options = { name: "encodeRead", transferList: transferListOf(packed) };
    const { batch, deadLetters } = (await piscina.run(task, options)) as EncodedBatch;
    const sections = decodeBatch(batch);
    return {
      sections: wants === undefined ? sections : sections.map((section) => ofTenants(section, wants)),
      deadLetters,
    };
  }

  return {
    verifyTokens: (tokens) => piscina.run(tokens, { name: "verifyTokens" }),
    encode: async (raw, options) => (fits(raw, inPlace) ? encodeEvents(raw, options) : encodeInThread(raw, options)),
    close: () => piscina.close(),
  };
}

function fits(raw: readonly RawSection[], limits: InPlaceLimits): boolean {
  let entries = 0;
  for (const section of raw) entries += section.entries.length;
  if (entries > limits.entries) return false;
  let bytes = 0;
  for (const section of raw) for (const { fields } of section.entries) bytes += entrySize(fields ?? []);
  return bytes <= limits.bytes;
}

/** A function cannot cross to a thread, so there every tenant's events are encoded. */
function ofTenants({ records, ...section }: BatchSection, wants: (tenant: string) => boolean): BatchSection {
  return { ...section, records: records.filter(({ tenant }) => wants(tenant)) };
}
