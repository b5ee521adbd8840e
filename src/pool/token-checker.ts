import { LRUCache } from "lru-cache";
import type { Identity } from "../protocol/identity.js";
import type { TokenVerdict } from "./verify-tokens.js";

export interface TokenChecker {
  check(token: string): Promise<TokenVerdict>;
}

export interface TokenCheckerOptions {
  /** Verifies many tokens in one task of the pool. */
  readonly verify: (tokens: readonly string[]) => Promise<TokenVerdict[]>;
  /** Seconds a token is still good after its `exp`. */
  readonly clockToleranceSeconds: number;
  /** Unix time in milliseconds. */
  readonly now: () => number;
}

/** Bytes of verified tokens kept; the oldest unused leave first. */
const CACHE_BYTES = 16 * 1024 * 1024;
const ENTRY_OVERHEAD_BYTES = 256;
/** Tokens of one task: enough that the task's own cost no longer matters, few enough not to delay the first. */
const MOST_PER_TASK = 100;

/**
 * Verifies tokens in micro-batches, all that arrived in one turn of the event loop, behind a cache of verified ones. The
 * cache never outlives a token's `exp`.
 */
export function makeTokenChecker({ verify, clockToleranceSeconds, now }: TokenCheckerOptions): TokenChecker {
  const verified = new LRUCache<string, Identity>({
    maxSize: CACHE_BYTES,
    sizeCalculation: (_identity, token) => token.length + ENTRY_OVERHEAD_BYTES,
  });
  let waiting = new Map<string, ((verdict: TokenVerdict | Promise<never>) => void)[]>();

  function fromCache(token: string): TokenVerdict | undefined {
    const identity = verified.get(token);
    if (identity === undefined) return undefined;
    if ((identity.expiresAt + clockToleranceSeconds) * 1000 > now()) return { identity };
    verified.delete(token);
    return { refused: "token_expired" };
  }

  async function verifyWaiting(): Promise<void> {
    const batch = [...waiting];
    waiting = new Map();
    for (let start = 0; start < batch.length; start += MOST_PER_TASK) {
      void settle(batch.slice(start, start + MOST_PER_TASK));
    }
  }

  async function settle(batch: [string, ((verdict: TokenVerdict | Promise<never>) => void)[]][]): Promise<void> {
    try {
      const verdicts = await verify(batch.map(([token]) => token));
      batch.forEach(([token, resolvers], i) => {
        const verdict = verdicts[i]!;
        if ("identity" in verdict) verified.set(token, verdict.identity);
        for (const resolve of resolvers) resolve(verdict);
      });
    } catch (error) {
      for (const [, resolvers] of batch) for (const resolve of resolvers) resolve(Promise.reject(error));
    }
  }

  return {
    check: async (token) => {
      const known = fromCache(token);
      if (known !== undefined) return known;
      return new Promise<TokenVerdict>((resolve) => {
        if (waiting.size === 0) setImmediate(verifyWaiting);
        const resolvers = waiting.get(token);
        if (resolvers === undefined) waiting.set(token, [resolve]);
        else resolvers.push(resolve);
      });
    },
  };
}
