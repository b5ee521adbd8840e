import type { Command } from "commander";
import { describeSettings, loadSettings } from "../config.js";

export function addConfigCommand(program: Command): void {
  program
    .command("config")
    .description("Print every setting, its value and where it came from, secrets masked.")
    .addHelpText("after", EXAMPLES)
    .action(() => {
      const rows = describeSettings().map(({ name, value, source }) => [name, value || "-", source]);
      for (const line of table([["SETTING", "VALUE", "SOURCE"], ...rows])) console.log(line);
      // Throws what is wrong with them.
      loadSettings();
    });
}

/** Rows as lines, columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = rows[0]!.map((_, column) => width(column));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}

const EXAMPLES = `
Exits with 78, and lists every problem, when any setting is missing or wrong.

Examples:
  ragline-gateway config
  PORT=9000 ragline-gateway config | grep environment`;
