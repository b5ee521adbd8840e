import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { TokenRules } from "../src/pool/verify-tokens.ts";
import type { BenchOptions, Report, Table } from "./support/benchmark.ts";
import { makeTokenVerifier, openPool } from "./support/built.ts";
import { cutOverOf, measureCutOver } from "./support/cut-over.ts";
import { mainThreadClock } from "./support/main-thread.ts";
import type { Effort } from "./support/measure.ts";

export const question = "From how many tokens on does a task of the pool beat verifying in place?";

const SIZES = [1, 8, 32, 64, 100];
const FULL: Effort = { rounds: 9, roundMs: 300 };
const QUICK: Effort = { rounds: 3, roundMs: 100 };
const SECRET = "a secret of the benchmark, with more than 32 bytes";

export async function run({ quick }: BenchOptions): Promise<Report> {
  const effort = quick ? QUICK : FULL;
  const notes = [
    `main: µs of the main thread per token (${mainThreadClock}); call: µs until all are verified, one call at a time`,
  ];
  const tables: Table[] = [];
  for (const signer of signers()) {
    const rows = await measure(signer, effort);
    tables.push({ title: signer.alg, rows });
    notes.push(`${signer.alg}: the pool costs the main thread less ${cutOverOf(SIZES, rows)}`);
  }
  return { tables, notes };
}

async function measure({ alg, rules, signature }: Signer, effort: Effort) {
  const verify = makeTokenVerifier(rules);
  const pool = openPool(1, { tokenRules: rules });
  const rows = [];
  try {
    for (const size of SIZES) {
      const tokens = Array.from({ length: size }, (_, i) => makeToken(alg, i, signature));
      const inPlace = () => tokens.map((token) => verify(token));
      rows.push({
        tokens: size,
        ...(await measureCutOver(size, { inPlace, pooled: () => pool.verifyTokens(tokens) }, effort)),
      });
    }
  } finally {
    await pool.close();
  }
  return rows;
}

interface Signer {
  readonly alg: string;
  readonly rules: TokenRules;
  readonly signature: (signed: string) => Buffer;
}

function signers(): Signer[] {
  const common = { tenantClaim: "tenant_id", userClaim: "user_id", clockToleranceSeconds: 5 };
  const withKey = (alg: string, publicKey: KeyObject): TokenRules => {
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    return { ...common, algorithms: [alg], publicKey: pem };
  };
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return [
    {
      alg: "HS256",
      rules: { ...common, algorithms: ["HS256"], secret: SECRET },
      signature: (signed) => createHmac("sha256", SECRET).update(signed).digest(),
    },
    {
      alg: "RS256",
      rules: withKey("RS256", rsa.publicKey),
      signature: (signed) => sign("sha256", Buffer.from(signed), rsa.privateKey),
    },
    {
      alg: "ES256",
      rules: withKey("ES256", ec.publicKey),
      signature: (signed) => sign("sha256", Buffer.from(signed), { key: ec.privateKey, dsaEncoding: "ieee-p1363" }),
    },
  ];
}

function makeToken(alg: string, i: number, signature: (signed: string) => Buffer): string {
  const claims = { tenant_id: `tenant-${i}`, user_id: `user-${i}`, roles: ["publisher"], exp: 4_102_444_800 };
  const parts = [{ alg, typ: "JWT" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  const signed = parts.join(".");
  return `${signed}.${signature(signed).toString("base64url")}`;
}
