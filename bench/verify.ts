import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { TokenRules } from "../src/pool/verify-tokens.ts";
import type { BenchOptions, Report, Table } from "./support/benchmark.ts";
import { makeTokenVerifier, openPool } from "./support/built.ts";
import { mainThreadClock } from "./support/main-thread.ts";
import { compareCosts, type Effort } from "./support/measure.ts";

export const question = "From how many tokens on does a task of the pool beat verifying in place?";

const SIZES = [1, 8, 32, 64, 100];
const FULL: Effort = { rounds: 9, roundMs: 300 };
const QUICK: Effort = { rounds: 3, roundMs: 100 };
const SECRET = "a secret of the benchmark, with more than 32 bytes";

export async function run({ quick }: BenchOptions): Promise<Report> {
  const notes = [
    `main: µs of the main thread per token (${mainThreadClock}); task: µs from call to result, one task at a time`,
  ];
  const tables: Table[] = [];
  for (const { alg, rules, signature } of signers()) {
    const rows = await measure(rules, (i) => makeToken(alg, i, signature), quick ? QUICK : FULL);
    tables.push({ title: alg, rows });
    const cutOver = SIZES.find((_, i) => rows.slice(i).every((row) => row.ratio < 1));
    notes.push(`${alg}: the pool is cheaper for the main thread from ${cutOver ?? "no size measured"} tokens on`);
  }
  return { tables, notes };
}

async function measure(rules: TokenRules, tokenOf: (i: number) => string, effort: Effort) {
  const verify = makeTokenVerifier(rules);
  const pool = openPool(1, { tokenRules: rules });
  const rows = [];
  try {
    for (const size of SIZES) {
      const tokens = Array.from({ length: size }, (_, i) => tokenOf(i));
      const contestants = {
        inPlace: () => tokens.map((token) => verify(token)),
        pooled: () => pool.verifyTokens(tokens),
      };
      const { inPlace, pooled } = await compareCosts(contestants, effort);
      rows.push({
        tokens: size,
        "in place main": round(inPlace.mainUs / size),
        "pool main": round(pooled.mainUs / size),
        ratio: round(pooled.mainUs / inPlace.mainUs),
        "in place task": Math.round(inPlace.wallUs),
        "pool task": Math.round(pooled.wallUs),
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

function round(value: number): number {
  return Number(value.toPrecision(3));
}
