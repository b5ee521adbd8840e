import type { KeyObject } from "node:crypto";

/** In the documentation of the service this gateway replaces: anyone could sign with it. */
export const SAMPLE_SECRET = "your-secret-key-change-in-production";
export const HMAC_ALGORITHMS = ["HS256", "HS384", "HS512"] as const;
const RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const;
export const PUBLIC_KEY_ALGORITHMS = [...RSA_ALGORITHMS, "ES256", "ES384", "ES512", "EdDSA"] as const;
export const JWKS_ALGORITHMS = ["RS256", "ES256", "EdDSA"] as const;

/** What the key can verify, the usual algorithm first; nothing for a key too weak or of another kind (RFC 7518 §3, RFC 8037). */
export function keyAlgorithms({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] {
  if (asymmetricKeyType === "rsa") return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 ? RSA_ALGORITHMS : [];
  if (asymmetricKeyType === "ed25519") return ["EdDSA"];
  const curves: Record<string, string[]> = { prime256v1: ["ES256"], secp384r1: ["ES384"], secp521r1: ["ES512"] };
  return curves[asymmetricKeyDetails?.namedCurve ?? ""] ?? [];
}
