import { packMessage } from "../../src/protocol/msgpack.ts";
import {
  blankPayload,
  NUMBER_BASE,
  TENANT_BASE,
  TENANT_DIGITS,
  TIME_BASE,
  tenantName,
  writeDigits,
  writeStamp,
} from "./stamp.ts";

/** `fields`: as the existing producers write, all ten of them. `lean`: the three that are needed. `compact`: as our publisher writes. */
export type EntryForm = "fields" | "lean" | "compact";

/** An XADD of which only the stamp changes from one event to the next. */
export class XaddTemplate {
  readonly #bytes: Buffer;
  readonly #write: (bytes: Buffer, at: number, tenant: number, number: number, time: number) => void;

  constructor(key: string, form: EntryForm, payloadBytes: number) {
    const values = form === "compact" ? compactEntry(payloadBytes) : fieldsEntry(form, payloadBytes);
    this.#bytes = respCommand(["XADD", key, "*", ...values]);
    this.#write = form === "compact" ? compactWriter(this.#bytes) : fieldsWriter(this.#bytes);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Puts the command of one event into `target`. */
  write(target: Buffer, at: number, tenant: number, number: number, time: number): void {
    this.#bytes.copy(target, at);
    this.#write(target, at, tenant, number, time);
  }
}

const TYPE = "order_created";

function fieldsEntry(form: EntryForm, payloadBytes: number): (string | Uint8Array)[] {
  const needed = ["event_type", TYPE, "payload", blankPayload(payloadBytes), "tenant_id", tenantName(0)];
  if (form === "lean") return needed;
  const rest = {
    event_id: "0190a0f0-0000-7000-8000-000000000000",
    aggregate_id: "order-12345678",
    aggregate_type: "order",
    source_service: "orders",
    version: "1",
    created_at: "2024-05-01T12:00:00.123456+00:00",
    user_id: "user-12345",
  };
  return [...needed, ...Object.entries(rest).flat()];
}

function compactEntry(payloadBytes: number): (string | Uint8Array)[] {
  const { pad } = JSON.parse(blankPayload(payloadBytes)) as { pad: string };
  const values = {
    event_type: TYPE,
    payload: { k: TENANT_BASE, n: NUMBER_BASE, t: TIME_BASE, pad },
    tenant_id: tenantName(0),
    event_id: "0190a0f0-0000-7000-8000-000000000000",
    created_at: "2024-05-01T12:00:00.123Z",
    user_id: "user-12345",
  };
  return ["m", packMessage(values)];
}

function fieldsWriter(command: Buffer): XaddTemplate["write"] {
  const name = tenantAt(command);
  const payload = command.indexOf('{"k":1');
  return (bytes, at, tenant, number, time) => {
    writeDigits(bytes, at + name, TENANT_DIGITS, TENANT_BASE + tenant);
    writeStamp(bytes, at + payload, tenant, number, Math.floor(time));
  };
}

/** MessagePack: fixstr of one character, then uint 32 (0xce) or float 64 (0xcb). */
function compactWriter(command: Buffer): XaddTemplate["write"] {
  const name = tenantAt(command);
  const tenantValue = valueAt(command, "k", 0xce);
  const numberValue = valueAt(command, "n", 0xce);
  const timeValue = valueAt(command, "t", 0xcb);
  return (bytes, at, tenant, number, time) => {
    writeDigits(bytes, at + name, TENANT_DIGITS, TENANT_BASE + tenant);
    bytes.writeUInt32BE(TENANT_BASE + tenant, at + tenantValue);
    bytes.writeUInt32BE(NUMBER_BASE + number, at + numberValue);
    bytes.writeDoubleBE(TIME_BASE + Math.floor(time), at + timeValue);
  };
}

function tenantAt(command: Buffer): number {
  return command.indexOf(tenantName(0)) + tenantName(0).length - TENANT_DIGITS;
}

function valueAt(command: Buffer, key: string, type: number): number {
  const at = command.indexOf(Buffer.from([0xa1, key.charCodeAt(0), type]));
  if (at < 0) throw new Error(`the packed payload has no "${key}" of the type expected`);
  return at + 3;
}

/** https://redis.io/docs/latest/develop/reference/protocol-spec/#arrays */
function respCommand(parts: readonly (string | Uint8Array)[]): Buffer {
  const bulk = parts.flatMap((part) => {
    const bytes = Buffer.from(part);
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")];
  });
  return Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...bulk]);
}
