import type { BenchOptions, Report, Table } from "./support/benchmark.ts";
import { makeTokenVerifier, openPool } from "./support/built.ts";
import { cutOverOf, measureCutOver } from "./support/cut-over.ts";
import { mainThreadClock } from "./support/main-thread.ts";
import type { Effort } from "./support/measure.ts";
import { type Signer, signers } from "./support/token-signers.ts";

export const question = "From how many tokens on does a task of the pool beat verifying in place?";

const SIZES = [1, 8, 32, 64, 100];
const FULL: Effort = { rounds: 9, roundMs: 300 };
const QUICK: Effort = { rounds: 3, roundMs: 100 };

export async function run({ quick }: BenchOptions): Promise<Report> {
  const effort = quick ? QUICK : FULL;
  const notes = [
    `main: µs of the main thread per token (${mainThreadClock}); call: µs until all are verified, one call at a time`,
  ];
  const tables: Table[] = [];
  for (const signer of signers()) {
    const rows = await measure(signer, effort);
    tables.push({ title: signer.algorithm, rows });
    notes.push(`${signer.algorithm}: the pool costs the main thread less ${cutOverOf(SIZES, rows)}`);
  }
  return { tables, notes };
}

async function measure({ rules, token }: Signer, effort: Effort) {
  const verify = makeTokenVerifier(rules);
  const pool = openPool(1, { tokenRules: rules });
  const rows = [];
  try {
    for (const size of SIZES) {
      const tokens = Array.from({ length: size }, (_, i) => token(`tenant-${i}`, `user-${i}`));
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
