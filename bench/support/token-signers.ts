import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { TokenRules } from "../../src/pool/verify-tokens.ts";

export const SECRET = "a secret of the benchmark, with more than 32 bytes";

/** One algorithm, with a key of its own. */
export interface Signer {
  readonly algorithm: string;
  readonly rules: TokenRules;
  token(tenant: string, user: string): string;
}

export function signers(): Signer[] {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const hmac = (signed: string) => createHmac("sha256", SECRET).update(signed).digest();
  return [
    makeSigner("HS256", { secret: SECRET }, hmac),
    makeSigner("RS256", { publicKey: pemOf(rsa.publicKey) }, (signed) =>
      sign("sha256", Buffer.from(signed), rsa.privateKey),
    ),
    makeSigner("ES256", { publicKey: pemOf(ec.publicKey) }, (signed) =>
      sign("sha256", Buffer.from(signed), { key: ec.privateKey, dsaEncoding: "ieee-p1363" }),
    ),
  ];
}

function makeSigner(
  algorithm: string,
  key: Pick<TokenRules, "secret"> | Pick<TokenRules, "publicKey">,
  signature: (signed: string) => Buffer,
): Signer {
  const claimNames = { tenantClaim: "tenant_id", userClaim: "user_id", clockToleranceSeconds: 5 };
  const rules: TokenRules = { ...claimNames, algorithms: [algorithm], ...key };
  const header = encode({ alg: algorithm, typ: "JWT" });
  const token = (tenant: string, user: string) => {
    const claims = { tenant_id: tenant, user_id: user, roles: ["publisher"], exp: EXPIRES };
    const signed = `${header}.${encode(claims)}`;
    return `${signed}.${signature(signed).toString("base64url")}`;
  };
  return { algorithm, rules, token };
}

/** In the year 2100. */
const EXPIRES = 4_102_444_800;

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}
