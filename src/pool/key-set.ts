import { KeyObject } from "node:crypto";
import { type CryptoKey, createRemoteJWKSet, errors, type JWTHeaderParameters } from "jose";

/** The key set was read, and holds no one key for the token. */
export class UnknownKeyError extends Error {}

const FETCH_TIMEOUT_MS = 5_000;
/** Least time between two fetches, so that tokens with made-up key ids cannot make us hammer the key server. */
const FETCH_COOLDOWN_MS = 30_000;
const KEEP_MS = 10 * 60_000;

/**
 * Reads public keys from a JSON Web Key Set (RFC 7517). The address comes from the settings alone, never from a token.
 * @returns a function from a token's header to the PEM of its key; it rejects with `UnknownKeyError`, or with another
 *   error when the key server cannot be reached.
 */
export function keySetFetcher(url: string): (token: { header: Record<string, unknown> }) => Promise<string> {
  const timing = { timeoutDuration: FETCH_TIMEOUT_MS, cooldownDuration: FETCH_COOLDOWN_MS, cacheMaxAge: KEEP_MS };
  const keySet = createRemoteJWKSet(new URL(url), timing);
  const pems = new WeakMap<CryptoKey, string>();
  return async ({ header }) => {
    const key = await keySet(header as JWTHeaderParameters).catch(explain);
    const pem = pems.get(key) ?? toPem(key);
    pems.set(key, pem);
    return pem;
  };
}

function explain(error: unknown): never {
  const unknown =
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported;
  throw unknown ? new UnknownKeyError() : error;
}

function toPem(key: CryptoKey): string {
  return KeyObject.from(key).export({ type: "spki", format: "pem" }).toString();
}
