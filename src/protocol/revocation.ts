import type { EntryFields } from "./event.js";
import { type Identity, readName } from "./identity.js";

/** Whose access ends before its time: a tenant's, one user's of it, or that of one token (`jti`, RFC 7519 section 4.1.7). */
export interface Revocation {
  readonly tenant: string;
  /** undefined: every user of the tenant. */
  readonly user?: string;
  /** undefined: every token. */
  readonly tokenId?: string;
  /** Unix time in seconds up to which it holds. */
  readonly until: number;
}

/** The whole value of the field `op`. */
const OPERATION = "revoke";
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The fields of its entry in the control stream. */
export function revocationFields({ tenant, user, tokenId, until }: Revocation): string[] {
  return [
    ...["op", OPERATION, "tenant_id", tenant],
    ...(user === undefined ? [] : ["user_id", user]),
    ...(tokenId === undefined ? [] : ["jti", tokenId]),
    ...["until", String(until)],
  ];
}

/** @returns null when it is no revocation: a narrower one must never be read as one of the whole tenant. */
export function parseRevocation(fields: EntryFields): Revocation | null {
  const values = new Map<string, string>();
  try {
    for (let i = 0; i + 1 < fields.length; i += 2) values.set(utf8.decode(fields[i]), utf8.decode(fields[i + 1]));
  } catch {
    return null;
  }
  const tenant = readName(values.get("tenant_id"));
  const until = readUntil(values.get("until"));
  if (values.get("op") !== OPERATION || tenant === null || until === null) return null;
  const user = values.get("user_id");
  const tokenId = values.get("jti");
  if ((user !== undefined && readName(user) === null) || tokenId === "") return null;
  return { tenant, until, ...(user !== undefined && { user }), ...(tokenId !== undefined && { tokenId }) };
}

function readUntil(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : null;
}

/** Whom a revocation is held against. */
export type Revocable = Pick<Identity, "tenant" | "user"> & { readonly tokenId?: string | undefined };
