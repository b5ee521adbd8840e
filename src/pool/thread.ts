import { setTimeout as delay } from "node:timers/promises";
import { move, transferableSymbol, valueSymbol, workerData } from "piscina";
import { encodeBatch } from "../protocol/batch.js";
import { type DeadLetter, encodeEvents } from "./encode-events.js";
import { type PackedEntries, unpackEntries } from "./raw-transfer.js";
import {
  makeTokenVerifier,
  type Pending,
  type TokenRules,
  type TokenVerdict,
  type VerifyToken,
} from "./verify-tokens.js";

/** What every thread of the pool is started with. */
export interface ThreadData {
  readonly tokenRules: TokenRules;
}

export interface EncodeTask {
  readonly packed: PackedEntries;
  readonly msgpack: boolean;
}

export interface EncodedBatch {
  readonly batch: Uint8Array<ArrayBuffer>;
  readonly deadLetters: DeadLetter[];
}

let verifier: VerifyToken | undefined;

/** Milliseconds after which a task does not wait for the key server: one token must not hold up the others. */
const ANSWER_WITHIN_MS = 25;
const PENDING: Pending = { pending: true };

/** Task: verdicts in the order of the tokens. */
export async function verifyTokens(tokens: readonly string[]): Promise<(TokenVerdict | Pending)[]> {
  const { tokenRules } = workerData as ThreadData;
  verifier ??= makeTokenVerifier(tokenRules);
  const verdicts = tokens.map(verifier);
  if (tokenRules.jwksUrl === undefined) return Promise.all(verdicts);
  const done = new AbortController();
  const late = delay(ANSWER_WITHIN_MS, PENDING, { signal: done.signal }).catch(() => PENDING);
  const answers = await Promise.all(verdicts.map((verdict) => Promise.race([verdict, late])));
  done.abort();
  return answers;
}

/** Task: answers an `EncodedBatch` whose buffer is transferred, not copied. */
export function encodeRead({ packed, msgpack }: EncodeTask): object {
  const { sections, deadLetters } = encodeEvents(unpackEntries(packed), { msgpack });
  const batch = encodeBatch(sections);
  const answer: EncodedBatch = { batch, deadLetters };
  return move({ [transferableSymbol]: [batch.buffer], [valueSymbol]: answer });
}
