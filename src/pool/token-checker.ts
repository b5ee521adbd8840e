import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { Identity } from "../protocol/identity.js";
import type { Pending, TokenVerdict } from "./verify-tokens.js";

export interface TokenChecker {
  check(token: string): Promise<TokenVerdict>;
}

export interface TokenCheckerOptions {
  /** Verifies many tokens in one task of the pool. */
  readonly verify: (tokens: readonly string[]) => Promise<(TokenVerdict | Pending)[]>;
  /** Seconds a token is still good after its `exp`. */
  readonly clockToleranceSeconds: number;
  /** Unix time in milliseconds. */
  readonly now: () => number;
}

/** A token of the turn that is about to be verified, for everyone who asked about it. */
interface Waiting {
  readonly verdict: Promise<TokenVerdict>;
  readonly resolve: (verdict: TokenVerdict) => void;
  readonly reject: (error: unknown) => void;
}

/** Bytes of verified tokens kept; the oldest unused leave first. */
const CACHE_BYTES = 16 * 1024 * 1024;
const ENTRY_OVERHEAD_BYTES = 256;
/** Milliseconds after which a token is verified again, because its key may have been withdrawn. */
const VERIFIED_FOR_MS = 10 * 60_000;
/** Milliseconds until it is asked again about a token whose key is being fetched. */
const PENDING_MS = 50;
/** Tokens of one task: enough that the task's own cost no longer matters, few enough not to delay the first. */
const MOST_PER_TASK = 100;

/**
 * Verifies tokens in micro-batches, all that arrived in one turn of the event loop, behind a cache of verified ones. The
 * cache never outlives a token's `exp`, nor for long the key it was verified with.
 */
export function makeTokenChecker({ verify, clockToleranceSeconds, now }: TokenCheckerOptions): TokenChecker {
  const verified = new LRUCache<string, Identity>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (_identity, token) => token.length + ENTRY_OVERHEAD_BYTES,
    ttl: VERIFIED_FOR_MS,
    ttlResolution: 1_000,
    perf: { now },
  });
  let waiting = new Map<string, Waiting>();

  function fromCache(token: string): TokenVerdict | undefined {
    const identity = verified.get(token);
    if (identity === undefined) return undefined;
    if ((identity.expiresAt + clockToleranceSeconds) * 1000 > now()) return { identity };
    verified.delete(token);
    return { refused: "token_expired" };
  }

  function verifyWaiting(): void {
    const batch = [...waiting];
    waiting = new Map();
    for (let start = 0; start < batch.length; start += MOST_PER_TASK) {
      void settle(batch.slice(start, start + MOST_PER_TASK));
    }
  }

  async function settle(batch: [token: string, waiting: Waiting][]): Promise<void> {
    try {
      const verdicts = await verify(batch.map(([token]) => token));
      batch.forEach(([token, { resolve, reject }], i) => {
        const verdict = verdicts[i]!;
        if ("pending" in verdict) {
          delay(PENDING_MS)
            .then(() => enqueue(token))
            .then(resolve, reject);
          return;
        }
        if ("identity" in verdict) verified.set(token, verdict.identity);
        resolve(verdict);
      });
    } catch (error) {
      for (const [, { reject }] of batch) reject(error);
    }
  }

  function enqueue(token: string): Promise<TokenVerdict> {
    if (waiting.size === 0) setImmediate(verifyWaiting);
    const entry = waiting.get(token) ?? newWaiting();
    waiting.set(token, entry);
    return entry.verdict;
  }

  return {
    check: async (token) => fromCache(token) ?? enqueue(token),
  };
}

function newWaiting(): Waiting {
  let [resolve, reject]: [Waiting["resolve"], Waiting["reject"]] = [() => {}, () => {}];
  const verdict = new Promise<TokenVerdict>((onVerdict, onError) => {
    [resolve, reject] = [onVerdict, onError];
  });
  return { verdict, resolve, reject };
}
