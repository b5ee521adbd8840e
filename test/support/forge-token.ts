import { createHmac } from "node:crypto";

/**
 * A JSON Web Token (RFC 7519) with exactly these claims, right or wrong, signed with HMAC as its header says. The
 * signature of `alg: none` is empty.
 */
export function forgeToken(
  secret: string,
  claims: unknown,
  header: { readonly alg: string; readonly [name: string]: unknown } = { alg: "HS256", typ: "JWT" },
): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  const hash = /^HS(\d+)$/.exec(header.alg)?.[1];
  return `${signed}.${hash === undefined ? "" : createHmac(`sha${hash}`, secret).update(signed).digest("base64url")}`;
}

/** Unix time, `seconds` from now. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
