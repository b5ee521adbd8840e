import { KeyObject } from "node:crypto";
import { type CryptoKey, createRemoteJWKSet, errors, type JWTHeaderParameters } from "jose";

/** The key set was read, and holds no one key for the token. */
export class UnknownKeyError extends Error {}

const FETCH_TIMEOUT_MS = 5_000;
/** Age from which the set is read again while the old one still counts. */
const REFRESH_AFTER_MS = 5 * 60_000;
/** Age from which a token waits for that reading, so that a withdrawn key does not count much longer. */
const REFRESH_AT_LATEST_MS = 10 * 60_000;
/** Least time between two readings for the sake of unknown keys, so that made-up ones cannot make us hammer the server. */
const UNKNOWN_KEY_COOLDOWN_MS = 30_000;
/** Least time between two attempts while the key server is away. */
const RETRY_MS = 2_000;
/** RFC 7518 section 3.3 */
const LEAST_RSA_BITS = 2048;

/**
 * Reads public keys from a JSON Web Key Set (RFC 7517). Address and issuer come from the settings alone, never from a
 * token; within the set a key is chosen by kid and algorithm together. While the key server is away, the keys known count on.
 * @param now milliseconds on any steady clock.
 * @returns a function from a token's header to the PEM of its key; it rejects with `UnknownKeyError`, or with another
 *   error when the key server cannot be reached.
 */
export function keySetFetcher(
  url: string,
  now: () => number = () => performance.now(),
): (token: { header: Record<string, unknown> }) => Promise<string> {
  const keySet = new KeySet(url, now);
  const pems = new WeakMap<CryptoKey, string>();
  return async ({ header }) => {
    const key = await keySet.keyOf(header as JWTHeaderParameters);
    const pem = pems.get(key) ?? toPem(key);
    pems.set(key, pem);
    return pem;
  };
}

/** jose's set finds keys and joins simultaneous readings into one; when it is read is decided here. */
class KeySet {
  readonly #set: ReturnType<typeof createRemoteJWKSet>;
  readonly #now: () => number;
  #readAt: number | null = null;
  #failedAt = Number.NEGATIVE_INFINITY;
  #askedForUnknownAt = Number.NEGATIVE_INFINITY;
  #failure: unknown = null;

  constructor(url: string, now: () => number) {
    const never = { cacheMaxAge: Number.POSITIVE_INFINITY, cooldownDuration: Number.POSITIVE_INFINITY };
    this.#set = createRemoteJWKSet(new URL(url), { timeoutDuration: FETCH_TIMEOUT_MS, ...never });
    this.#now = now;
  }

  async keyOf(header: JWTHeaderParameters): Promise<CryptoKey> {
    await this.#keepFresh();
    try {
      return await this.#set(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) explain(error);
      if (await this.#hasReadForUnknown()) return this.#set(header).catch(explain);
      throw new UnknownKeyError();
    }
  }

  /** @throws when the set was never read, and cannot be. */
  async #keepFresh(): Promise<void> {
    const age = this.#readAt === null ? Number.POSITIVE_INFINITY : this.#now() - this.#readAt;
    if (age < REFRESH_AFTER_MS) return;
    const reading = this.#mayRead() ? this.#read() : Promise.reject(this.#failure);
    reading.catch(() => {});
    if (this.#readAt === null) await reading;
    // Whoever comes while the server is known to be away does not wait for it again.
    else if (age >= REFRESH_AT_LATEST_MS && this.#failure === null) await reading.catch(() => {});
  }

  /** @throws when the server is away: then nobody knows whether the key is one of ours. */
  async #hasReadForUnknown(): Promise<boolean> {
    if (!this.#mayRead()) throw this.#failure;
    if (this.#now() - this.#askedForUnknownAt < UNKNOWN_KEY_COOLDOWN_MS && !this.#set.reloading) return false;
    if (!this.#set.reloading) this.#askedForUnknownAt = this.#now();
    await this.#read();
    return true;
  }

  #mayRead(): boolean {
    return this.#failure === null || this.#set.reloading || this.#now() - this.#failedAt >= RETRY_MS;
  }

  async #read(): Promise<void> {
    try {
      await this.#set.reload();
      this.#readAt = this.#now();
      this.#failure = null;
    } catch (error) {
      this.#failedAt = this.#now();
      this.#failure = error;
      throw error;
    }
  }
}

function explain(error: unknown): never {
  const unknown =
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported;
  throw unknown ? new UnknownKeyError() : error;
}

/** @throws UnknownKeyError for a key too weak to count. */
function toPem(key: CryptoKey): string {
  const object = KeyObject.from(key);
  const { modulusLength } = object.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && modulusLength < LEAST_RSA_BITS) throw new UnknownKeyError();
  return object.export({ type: "spki", format: "pem" }).toString();
}
