import { createSigner } from "fast-jwt";

export interface TokenClaims {
  readonly tenant: string;
  readonly user: string;
  readonly roles?: readonly string[];
  readonly ttlSeconds: number;
}

/** Signs an access token with HS256, for the command line, the demo and the tests. */
export function signToken(secret: string, { tenant, user, roles, ttlSeconds }: TokenClaims, now = Date.now()): string {
  const sign = createSigner({ key: secret, algorithm: "HS256", noTimestamp: true });
  const issuedAt = Math.floor(now / 1000);
  return sign({
    tenant_id: tenant,
    user_id: user,
    ...(roles !== undefined && roles.length > 0 && { roles }),
    type: "access",
    iat: issuedAt,
    exp: issuedAt + ttlSeconds,
  });
}
