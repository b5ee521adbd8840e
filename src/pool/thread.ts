import { move, transferableSymbol, valueSymbol, workerData } from "piscina";
import { encodeBatch } from "../protocol/batch.js";
import { type DeadLetter, encodeEvents } from "./encode-events.js";
import { type PackedEntries, unpackEntries } from "./raw-transfer.js";
import { makeTokenVerifier, type TokenRules, type TokenVerdict, type VerifyToken } from "./verify-tokens.js";

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

/** Task: verdicts in the order of the tokens. */
export async function verifyTokens(tokens: readonly string[]): Promise<TokenVerdict[]> {
  verifier ??= makeTokenVerifier((workerData as ThreadData).tokenRules);
  return Promise.all(tokens.map(verifier));
}

/** Task: answers an `EncodedBatch` whose buffer is transferred, not copied. */
export function encodeRead({ packed, msgpack }: EncodeTask): object {
  const { sections, deadLetters } = encodeEvents(unpackEntries(packed), { msgpack });
  const batch = encodeBatch(sections);
  const answer: EncodedBatch = { batch, deadLetters };
  return move({ [transferableSymbol]: [batch.buffer], [valueSymbol]: answer });
}
