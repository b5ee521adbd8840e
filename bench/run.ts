import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Benchmark, BenchOptions } from "./support/benchmark.ts";
import { machineLine, versionsLine } from "./support/machine.ts";
import { printReport } from "./support/print.ts";
import { MachineLimitError } from "./support/process-usage.ts";

const USAGE = `npm run bench -- NAME [PART…] | all [--quick] [--json] [--seconds N] [--seed N]

  PART     of prove: the scenarios to run
  --quick  fewer and shorter runs
  --json   the result as JSON, with all: a line for each
  --seconds, --seed  whole numbers, for those that name them

Each NAME is a question:
`;
/** Seconds after which a benchmark has hung. */
const LIMIT = { quick: 120, full: 480 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean" },
    seconds: { type: "string" },
    seed: { type: "string" },
  },
});
const [name, ...only] = positionals;

if (values.help === true || name === undefined) {
  console.log(USAGE + (await listQuestions()));
} else if (name === "all") {
  process.exitCode = runAll();
} else if (!benchmarkNames().includes(name)) {
  console.error(`there is no benchmark named ${name}; --help lists them`);
  process.exitCode = 2;
} else {
  const { quick = false, json = false } = values;
  const [seconds, seed] = [wholeNumber(values.seconds), wholeNumber(values.seed)];
  await runBenchmark(name, { quick, seconds, seed, only }, json);
}

async function runBenchmark(name: string, options: BenchOptions, json: boolean): Promise<void> {
  const { quick } = options;
  // What was started ends when this process does.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  const { question, run, limitSeconds = LIMIT } = await load(name);
  const limit = quick ? limitSeconds.quick : limitSeconds.full;
  setTimeout(() => {
    console.error(`${name} did not end within ${limit} s`);
    process.exit(1);
  }, limit * 1e3).unref();

  const [machine, versions] = [machineLine(), versionsLine()];
  if (!json) console.log(`${name}: ${question}\n${machine}\n${versions}\n`);
  const report = await run(options).catch((error: Error) => {
    console.error(`${name} failed: ${error instanceof MachineLimitError ? error.message : error.stack}`);
    process.exit(1);
  });
  if (json) console.log(JSON.stringify({ name, question, machine, versions, quick, ...report }));
  else printReport(report);
  if ((report.problems ?? []).length > 0) process.exitCode = 1;
}

/** One after the other, each in a process of its own, so that none leaves anything to the next. */
function runAll(): number {
  const script = fileURLToPath(import.meta.url);
  const failed = benchmarkNames().filter((each) => {
    const args = [...process.execArgv, script, each, ...process.argv.slice(2).filter((arg) => arg.startsWith("--"))];
    const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
    if (values.json !== true) console.log();
    return status !== 0;
  });
  if (failed.length > 0) console.error(`failed: ${failed.join(", ")}`);
  return failed.length > 0 ? 1 : 0;
}

function wholeNumber(text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,9}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new Error(`not a whole number: ${text}`);
}

async function listQuestions(): Promise<string> {
  const lines = benchmarkNames().map(async (name) => `  ${name.padEnd(14)} ${(await load(name)).question}`);
  return (await Promise.all(lines)).join("\n");
}

function benchmarkNames(): string[] {
  const files = readdirSync(new URL(".", import.meta.url)).filter((file) => file.endsWith(".ts") && file !== "run.ts");
  return files.map((file) => file.slice(0, -".ts".length)).sort();
}

function load(name: string): Promise<Benchmark> {
  return import(new URL(`./${name}.ts`, import.meta.url).href);
}
