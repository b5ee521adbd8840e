import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export const SECRET = "correct horse battery staple, twice over";

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export const KEY_PAIRS = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  p521: generateKeyPairSync("ec", { namedCurve: "P-521" }),
  ed25519: generateKeyPairSync("ed25519"),
} satisfies Record<string, KeyPair>;

/** What signs with each public-key algorithm (RFC 7518 section 3, RFC 8037). */
export const PAIR_OF: Readonly<Record<string, KeyPair>> = {
  RS256: KEY_PAIRS.rsa,
  RS384: KEY_PAIRS.rsa,
  RS512: KEY_PAIRS.rsa,
  PS256: KEY_PAIRS.rsa,
  PS384: KEY_PAIRS.rsa,
  PS512: KEY_PAIRS.rsa,
  ES256: KEY_PAIRS.p256,
  ES384: KEY_PAIRS.p384,
  ES512: KEY_PAIRS.p521,
  EdDSA: KEY_PAIRS.ed25519,
};

export function pemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}

interface Header {
  readonly alg: string;
  readonly [name: string]: unknown;
}

/** A token with exactly this header and these claims, signed as the header's `alg` says. */
export function signWith(key: KeyObject | string, header: Header, claims: unknown): string {
  return signText(key, header, JSON.stringify(claims));
}

/** @param claims JSON, or something else. */
export function signText(key: KeyObject | string, header: Header, claims: string): string {
  const signed = `${encode(JSON.stringify(header))}.${encode(claims)}`;
  return `${signed}.${signature(header.alg, key, signed).toString("base64url")}`;
}

function signature(alg: string, key: KeyObject | string, signed: string): Buffer {
  const data = Buffer.from(signed);
  const hash = `sha${alg.slice(2)}`;
  if (typeof key === "string") return createHmac(hash, key).update(data).digest();
  switch (alg.slice(0, 2)) {
    case "ES":
      return sign(hash, data, { key, dsaEncoding: "ieee-p1363" });
    case "PS":
      return sign(hash, data, {
        key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      });
    case "RS":
      return sign(hash, data, key);
    default:
      return sign(null, data, key);
  }
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}
