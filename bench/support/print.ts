import type { Report, Table } from "./benchmark.ts";

export function printReport({ tables, notes, problems = [], verdict }: Report): void {
  for (const table of tables) printTable(table);
  console.log(notes.map((note) => `- ${note}`).join("\n"));
  for (const problem of problems) console.log(`FAILED ${problem}`);
  if (verdict !== undefined) console.log(`\n${verdict}`);
}

function printTable({ title, rows }: Table): void {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column])))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  const [head, ...body] = cells.map((row) => row.map((cell, i) => cell.padStart(widths[i]!)).join("  "));
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  console.log(`${[title, "", head, rule, ...body].join("\n")}\n`);
}
