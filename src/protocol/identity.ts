import { fitsUtf8, isWellFormed } from "./text.js";

/** Who a verified token speaks for. */
export interface Identity {
  readonly tenant: string;
  readonly user: string;
  /** Unix time in seconds after which the token is no longer good. */
  readonly expiresAt: number;
  readonly roles: readonly string[];
  readonly tokenId?: string;
}

export const MAX_NAME_BYTES = 256;

/**
 * A tenant or user as text: a string of 1 to 256 bytes, or an integer. Numbers from 2^53 are refused, because JSON
 * readers round them, and two tenants must never become one; a bigint of up to 64 bits is exact. For the same reason
 * a string must not start with a byte order mark, which some readers drop.
 */
export function readName(value: unknown): string | null {
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  if (typeof value === "bigint" && BigInt.asIntN(65, value) === value) return String(value);
  if (typeof value !== "string" || value === "" || value.startsWith("\ufeff") || !isWellFormed(value)) return null;
  return fitsUtf8(value, MAX_NAME_BYTES) ? value : null;
}
