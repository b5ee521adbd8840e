/**
 * What every event of a benchmark carries in its payload: its tenant, its number among the tenant's events, and when it
 * was sent. All at fixed width, so that it is written and read where it stands:
 *
 *     {"k":1000042,"n":1000000123,"t":1000012345678901,"pad":"…"}
 */
export const TENANT_BASE = 1e6;
export const NUMBER_BASE = 1e9;
/** Microseconds of `nowMicros`. */
export const TIME_BASE = 1e15;

const HEAD = `{"k":${TENANT_BASE},"n":${NUMBER_BASE},"t":${TIME_BASE},"pad":"`;
const TAIL = '"}';
const START = Buffer.from('{"k":1');

const TENANT_AT = HEAD.indexOf(`${TENANT_BASE}`);
const NUMBER_AT = HEAD.indexOf(`:${NUMBER_BASE},`) + 1;
const TIME_AT = HEAD.indexOf(`:${TIME_BASE},`) + 1;
export const TENANT_DIGITS = 7;
const NUMBER_DIGITS = 10;
const TIME_DIGITS = 16;

export const LEAST_PAYLOAD_BYTES = HEAD.length + TAIL.length;

/** The payload of no event yet, as JSON of exactly so many bytes. */
export function blankPayload(bytes: number): string {
  if (bytes < LEAST_PAYLOAD_BYTES) throw new RangeError(`a payload has at least ${LEAST_PAYLOAD_BYTES} bytes`);
  return HEAD + "x".repeat(bytes - LEAST_PAYLOAD_BYTES) + TAIL;
}

/** @param time microseconds of `nowMicros`, a whole number */
export function stampedPayload(bytes: number, tenant: number, number: number, time: number): string {
  const payload = Buffer.from(blankPayload(bytes));
  writeStamp(payload, 0, tenant, number, time);
  return payload.toString();
}

/** Stamps the payload that stands at `at`. */
export function writeStamp(bytes: Uint8Array, at: number, tenant: number, number: number, time: number): void {
  writeDigits(bytes, at + TENANT_AT, TENANT_DIGITS, TENANT_BASE + tenant);
  writeDigits(bytes, at + NUMBER_AT, NUMBER_DIGITS, NUMBER_BASE + number);
  writeDigits(bytes, at + TIME_AT, TIME_DIGITS, TIME_BASE + time);
}

/** Name of the k-th tenant, always as long. */
export function tenantName(k: number): string {
  return `tenant-${TENANT_BASE + k}`;
}

/** Writes decimal digits; `value` has exactly so many. */
export function writeDigits(bytes: Uint8Array, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    bytes[i] = 48 + rest - next * 10;
    rest = next;
  }
}

/** Reads the stamp of one message after the other, allocating nothing. */
export class StampReader {
  tenant = 0;
  number = 0;
  #bytes: Uint8Array = START;
  #at = 0;
  /** Where the last payload began, from the end of its message: most of one kind are alike. */
  #fromEnd = 0;

  /** @returns false when there is no stamp between `start` and `end`. */
  read(bytes: Buffer, start: number, end: number): boolean {
    let at = end - this.#fromEnd;
    if (at < start || !startsAt(bytes, at, end)) {
      at = bytes.indexOf(START, start);
      if (at < 0 || at + LEAST_PAYLOAD_BYTES > end) return false;
      this.#fromEnd = end - at;
    }
    this.#bytes = bytes;
    this.#at = at;
    this.tenant = readDigits(bytes, at + TENANT_AT, TENANT_DIGITS) - TENANT_BASE;
    this.number = readDigits(bytes, at + NUMBER_AT, NUMBER_DIGITS) - NUMBER_BASE;
    return true;
  }

  /** When the message read last was sent, in microseconds; only until the next is received. */
  sentAt(): number {
    return readDigits(this.#bytes, this.#at + TIME_AT, TIME_DIGITS) - TIME_BASE;
  }
}

function startsAt(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + LEAST_PAYLOAD_BYTES > end) return false;
  for (let i = 0; i < START.length; i++) if (bytes[at + i] !== START[i]) return false;
  return true;
}

function readDigits(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) value = value * 10 + bytes[i]! - 48;
  return value;
}
