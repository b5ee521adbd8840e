import type { EncodeOptions } from "../src/pool/encode-events.ts";
import type { EntryFields, RawSection } from "../src/protocol/event.ts";
import { packMessage } from "../src/protocol/msgpack.ts";
import type { BenchOptions, Report, Table } from "./support/benchmark.ts";
import { ENCODE_IN_PLACE_UP_TO, openPool } from "./support/built.ts";
import { mainThreadClock } from "./support/main-thread.ts";
import { compareCosts, type Effort } from "./support/measure.ts";

export const question = "From how many events on does a task of the pool beat encoding in place?";

const SIZES = [1, 8, 32, 64, 128, 256, 500];
const LARGE_PAYLOADS = [1_024, 4_096, 16_384, 65_536];
const PAYLOAD_BYTES = 256;
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
  const inPlace = openPool(1, { tokenRules }, Number.POSITIVE_INFINITY);
  const pooled = openPool(1, { tokenRules }, 0);
  const notes = [
    `main: µs of the main thread per event (${mainThreadClock}); read: µs from call to result, one read at a time`,
    `in place up to ${ENCODE_IN_PLACE_UP_TO} events now (src/pool/pool.ts)`,
  ];
  const tables: Table[] = [];
  try {
    for (const [title, fieldsOf, options] of FORMS) {
      const rows = [];
      for (const events of SIZES) rows.push(await measure(events, PAYLOAD_BYTES, fieldsOf, options));
      tables.push({ title, rows });
      const cutOver = SIZES.find((_, i) => rows.slice(i).every((row) => row.ratio < 1));
      notes.push(`${title}: the pool is cheaper for the main thread from ${cutOver ?? "no size measured"} events on`);
    }
    const rows = [];
    for (const bytes of LARGE_PAYLOADS) rows.push(await measure(1, bytes, asFields, JSON_ONLY));
    tables.push({ title: "one event of fields with a larger payload", rows });
  } finally {
    await Promise.all([inPlace.close(), pooled.close()]);
  }
  return { tables, notes };

  async function measure(events: number, payloadBytes: number, fieldsOf: FieldsOf, options: EncodeOptions) {
    const raw = makeRead(events, payloadBytes, fieldsOf);
    const contestants = { inPlace: () => inPlace.encode(raw, options), pooled: () => pooled.encode(raw, options) };
    const cost = await compareCosts(contestants, effort);
    return {
      events,
      "payload B": payloadBytes,
      "in place main": round(cost.inPlace.mainUs / events),
      "pool main": round(cost.pooled.mainUs / events),
      ratio: round(cost.pooled.mainUs / cost.inPlace.mainUs),
      "in place read": Math.round(cost.inPlace.wallUs),
      "pool read": Math.round(cost.pooled.wallUs),
    };
  }
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
  const order = { order_id: `order-${i}`, status: "created", total: 19.95, items: ["sku-1", "sku-2"], note: "" };
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

function round(value: number): number {
  return Number(value.toPrecision(3));
}
