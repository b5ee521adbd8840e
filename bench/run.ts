import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Benchmark } from "./support/benchmark.ts";
import { machineLine } from "./support/machine.ts";
import { printReport } from "./support/print.ts";

const USAGE = `npm run bench -- NAME [--quick] [--json]

  --quick  fewer and shorter runs
  --json   the result as JSON

Each NAME is a question:
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean" }, json: { type: "boolean" }, help: { type: "boolean" } },
});
const [name] = positionals;

if (values.help === true || name === undefined) {
  console.log(USAGE + (await listQuestions()));
} else if (!benchmarkNames().includes(name)) {
  console.error(`there is no benchmark named ${name}; --help lists them`);
  process.exitCode = 2;
} else {
  await runBenchmark(name, values.quick ?? false, values.json ?? false);
}

async function runBenchmark(name: string, quick: boolean, json: boolean): Promise<void> {
  const { question, run } = await load(name);
  const machine = machineLine();
  if (!json) console.log(`${question}\n${machine}\n`);
  const report = await run({ quick });
  if (json) console.log(JSON.stringify({ name, question, machine, quick, ...report }, null, 2));
  else printReport(report);
}

async function listQuestions(): Promise<string> {
  const lines = benchmarkNames().map(async (name) => `  ${name.padEnd(12)} ${(await load(name)).question}`);
  return (await Promise.all(lines)).join("\n");
}

function benchmarkNames(): string[] {
  const files = readdirSync(new URL(".", import.meta.url)).filter((file) => file.endsWith(".ts") && file !== "run.ts");
  return files.map((file) => file.slice(0, -".ts".length)).sort();
}

function load(name: string): Promise<Benchmark> {
  return import(new URL(`./${name}.ts`, import.meta.url).href);
}
