import { type Algorithm, createVerifier, TokenError } from "fast-jwt";
import { type Identity, readName } from "../protocol/identity.js";
import { keySetFetcher, UnknownKeyError } from "./key-set.js";

/** What a token is checked against. Plain data, because it crosses to the pool's threads. */
export interface TokenRules {
  readonly secret?: string;
  /** PEM. */
  readonly publicKey?: string;
  readonly jwksUrl?: string;
  readonly algorithms: readonly string[];
  readonly issuer?: string;
  readonly audience?: string;
  readonly tenantClaim: string;
  readonly userClaim: string;
  readonly clockToleranceSeconds: number;
}

export type TokenVerdict =
  | { readonly identity: Identity }
  | { readonly refused: "token_invalid" | "token_expired" | "unavailable" };

/** The verdict has to wait for the key server, and is to be asked for again. */
export interface Pending {
  readonly pending: true;
}

export type VerifyToken = (token: string) => Promise<TokenVerdict> | TokenVerdict;

const INVALID: TokenVerdict = { refused: "token_invalid" };
const EXPIRED: TokenVerdict = { refused: "token_expired" };
const NO_KEYS: TokenVerdict = { refused: "unavailable" };

/**
 * A verifier of JSON Web Tokens (RFC 7519) under the given rules. It never throws, and never repeats the token.
 * @param now milliseconds on any steady clock, for the age of a key set.
 */
export function makeTokenVerifier(rules: TokenRules, now?: () => number): VerifyToken {
  const { issuer, audience } = rules;
  const options = {
    algorithms: [...rules.algorithms] as Algorithm[],
    clockTolerance: rules.clockToleranceSeconds * 1000,
    // What is only allowed, and not required, passes when it is missing.
    requiredClaims: ["exp", ...(issuer === undefined ? [] : ["iss"]), ...(audience === undefined ? [] : ["aud"])],
    ...(issuer !== undefined && { allowedIss: issuer }),
    ...(audience !== undefined && { allowedAud: audience }),
  };
  const readClaims = (claims: unknown) => readIdentity(claims, rules);
  if (rules.jwksUrl === undefined) {
    const verify = createVerifier({ ...options, key: rules.secret ?? rules.publicKey! });
    return (token) => {
      try {
        return readClaims(verify(token));
      } catch (error) {
        return refusalOf(error);
      }
    };
  }
  const verify = createVerifier({ ...options, key: keySetFetcher(rules.jwksUrl, now) });
  return (token) => verify(token).then(readClaims, refusalOf);
}

function refusalOf(error: unknown): TokenVerdict {
  if (!(error instanceof TokenError)) return INVALID;
  if (error.code === TokenError.codes.expired) return EXPIRED;
  const keysAway =
    error.code === TokenError.codes.keyFetchingError && !(error.originalError instanceof UnknownKeyError);
  return keysAway ? NO_KEYS : INVALID;
}

function readIdentity(claims: unknown, { tenantClaim, userClaim }: TokenRules): TokenVerdict {
  if (typeof claims !== "object" || claims === null) return INVALID;
  const values = new Map(Object.entries(claims));
  const tenant = readName(values.get(tenantClaim));
  const user = readName(values.get(userClaim) ?? values.get("sub"));
  const expiresAt: unknown = values.get("exp");
  const kind = values.get("type");
  if (tenant === null || user === null || typeof expiresAt !== "number" || !Number.isFinite(expiresAt)) return INVALID;
  if (kind !== undefined && kind !== "access") return INVALID;
  const tokenId = readTokenId(values.get("jti"));
  return {
    identity: {
      tenant,
      user,
      expiresAt,
      roles: readRoles(values.get("roles")),
      ...(tokenId !== null && { tokenId }),
    },
  };
}

/** RFC 7519 section 4.1.7 wants text; issuers that number their tokens are not the reason why one cannot be revoked. */
function readTokenId(value: unknown): string | null {
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : null;
}

function readRoles(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((role) => typeof role === "string") : [];
}
