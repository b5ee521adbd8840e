import { type Algorithm, createSigner } from "fast-jwt";
import type { TokenRules } from "./verify-tokens.js";

export interface TokenClaims {
  readonly tenant: string;
  readonly user: string;
  readonly roles?: readonly string[];
  readonly ttlSeconds: number;
}

/** Where they are not given: HS256, and the claims `tenant_id` and `user_id`. */
export type SigningRules = Partial<
  Pick<TokenRules, "algorithms" | "issuer" | "audience" | "tenantClaim" | "userClaim">
>;

/** Signs an access token with an HMAC secret, for the command line, the demo and the tests. */
export function signToken(secret: string, claims: TokenClaims, rules: SigningRules = {}): string {
  const { tenant, user, roles = [], ttlSeconds } = claims;
  const { algorithms, issuer, audience, tenantClaim = "tenant_id", userClaim = "user_id" } = rules;
  const sign = createSigner({
    key: secret,
    algorithm: (algorithms?.[0] ?? "HS256") as Algorithm,
    expiresIn: ttlSeconds * 1000,
    ...(issuer !== undefined && { iss: issuer }),
    ...(audience !== undefined && { aud: audience }),
  });
  return sign({ [tenantClaim]: tenant, [userClaim]: user, ...(roles.length > 0 && { roles }), type: "access" });
}
