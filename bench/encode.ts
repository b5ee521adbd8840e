import type { EncodeOptions } from "../src/pool/encode-events.ts";
import type { Pool } from "../src/pool/pool.ts";
import type { EntryFields, RawSection } from "../src/protocol/event.ts";
import { packMessage } from "../src/protocol/msgpack.ts";
import type { BenchOptions, Report, Table } from "./support/benchmark.ts";
import { openPool } from "./support/built.ts";
import { type CutOverRow, cutOverOf, measureCutOver } from "./support/cut-over.ts";
import { mainThreadClock } from "./support/main-thread.ts";
import type { Effort } from "./support/measure.ts";

export const question = "From how many events on does a task of the pool beat encoding in place?";

const SIZES = [1, 8, 16, 32, 64, 128, 256, 500];
const PAYLOAD_BYTES = 256;
const PAYLOADS = [256, 1_024, 4_096, 8_192, 16_384, 65_536, 262_144];
const FULL: Effort = { rounds: 9, roundMs: 300 };
const QUICK: Effort = { rounds: 3, roundMs: 100 };

const tokenRules = {
  secret: "not used here, as nothing is verified",
  algorithms: ["HS256"],
  tenantClaim: "tenant_id",
  userClaim: "user_id",
  clockToleranceSeconds: 5,
};

export async function run({ quick }: BenchOptions): Promise<Report> {
  const effort = quick ? QUICK : FULL;
  const pools: Pools = {
    inPlace: openPool(1, { tokenRules }, { entries: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }),
    pooled: openPool(1, { tokenRules }, { entries: 0, bytes: 0 }),
  };
  const notes = [
    `main: µs of the main thread per event (${mainThreadClock}); call: µs until the whole read is encoded, one at a time`,
  ];
  const tables: Table[] = [];
  try {
    for (const [title, fieldsOf, options] of FORMS) {
      const rows = [];
      for (const events of SIZES) {
        rows.push({ events, ...(await measure(pools, makeRead(events, PAYLOAD_BYTES, fieldsOf), options, effort)) });
      }
      tables.push({ title: `${title}, payloads of ${PAYLOAD_BYTES} bytes`, rows });
      notes.push(`${title}: the pool costs the main thread less ${cutOverOf(SIZES, rows)}`);
    }
    const rows = [];
    for (const bytes of PAYLOADS) {
      rows.push({ bytes, ...(await measure(pools, makeRead(1, bytes, asFields), JSON_ONLY, effort)) });
    }
    tables.push({ title: "one event of fields, by the bytes of its payload", rows });
    notes.push(`bytes of one event: the pool costs the main thread less ${cutOverOf(PAYLOADS, rows)}`);
  } finally {
    await Promise.all([pools.inPlace.close(), pools.pooled.close()]);
  }
  return { tables, notes };
}

interface Pools {
  readonly inPlace: Pool;
  readonly pooled: Pool;
}

function measure(
  { inPlace, pooled }: Pools,
  raw: RawSection[],
  options: EncodeOptions,
  effort: Effort,
): Promise<CutOverRow> {
  const contestants = { inPlace: () => inPlace.encode(raw, options), pooled: () => pooled.encode(raw, options) };
  return measureCutOver(raw[0]!.entries.length, contestants, effort);
}

type FieldsOf = (values: Readonly<Record<string, unknown>>) => EntryFields;

const JSON_ONLY: EncodeOptions = { msgpack: false };
const BOTH_FORMATS: EncodeOptions = { msgpack: true };
const FORMS: readonly [title: string, FieldsOf, EncodeOptions][] = [
  ["fields", asFields, JSON_ONLY],
  ["compact", asCompact, JSON_ONLY],
  ["fields, MessagePack wanted", asFields, BOTH_FORMATS],
  ["compact, MessagePack wanted", asCompact, BOTH_FORMATS],
];

function makeRead(events: number, payloadBytes: number, fieldsOf: FieldsOf): RawSection[] {
  const entries = Array.from({ length: events }, (_, i) => ({
    id: `1700000000000-${i}`,
    fields: fieldsOf({
      event_type: "order_created",
      payload: makePayload(i, payloadBytes),
      tenant_id: `tenant-${i % 50}`,
      event_id: `0190a0f0-0000-7000-8000-${String(i).padStart(12, "0")}`,
      aggregate_id: `order-${i}`,
      aggregate_type: "order",
      source_service: "orders",
      version: "1",
      created_at: "2024-05-01T12:00:00.123456+00:00",
      user_id: `user-${i % 500}`,
    }),
  }));
  return [{ key: "ragline:stream:orders", topic: "orders", entries }];
}

/** An order whose JSON has exactly so many bytes. */
function makePayload(i: number, bytes: number): object {
  const items = Array.from({ length: Math.floor(bytes / 128) }, (_, n) => ({
    sku: `sku-${n}`,
    quantity: n,
    price: 19.95,
  }));
  const order = { order_id: `order-${i}`, status: "created", items, note: "" };
  return { ...order, note: "x".repeat(bytes - JSON.stringify(order).length) };
}

/** As the Python producers write them. */
function asFields(values: Readonly<Record<string, unknown>>): EntryFields {
  return Object.entries(values).flatMap(([name, value]) => [
    Buffer.from(name),
    Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
  ]);
}

/** As our publisher writes them. */
function asCompact(values: Readonly<Record<string, unknown>>): EntryFields {
  return [Buffer.from("m"), packMessage(values)];
}
