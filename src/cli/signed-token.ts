import { loadSettings, SettingsError } from "../config.js";
import { signToken, type TokenClaims } from "../pool/sign-token.js";
import { makeTokenVerifier } from "../pool/verify-tokens.js";

/** A token that a gateway with the same settings accepts. @throws SettingsError when these settings allow none */
export async function signedToken(claims: TokenClaims): Promise<string> {
  const { jwt } = loadSettings();
  if (jwt.secret === undefined) {
    throw new SettingsError(["JWT_SECRET_KEY is not set, and a token can be signed with a secret only"]);
  }
  const token = signToken(jwt.secret, claims, jwt);
  const verdict = await makeTokenVerifier(jwt)(token);
  const isAsAsked =
    "identity" in verdict && verdict.identity.tenant === claims.tenant && verdict.identity.user === claims.user;
  if (isAsAsked) return token;
  throw new SettingsError([
    "the gateway would refuse the token: tenant and user have to be 1 to 256 bytes, and JWT_TENANT_CLAIM and " +
      "JWT_USER_CLAIM must not name a claim with a meaning of its own",
  ]);
}
