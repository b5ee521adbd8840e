import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureRedis } from "../src/cli/redis-server.ts";
import { ensureChromium } from "./support/chromium.ts";

/**
 * Runs the test suite, or the files and options given, with everything it needs. The last line is a count of
 * assertions: `N passed, N failed`. The exit code is not 0 when anything failed.
 */

const TAP = fileURLToPath(new URL("../node_modules/.bin/tap", import.meta.url));
const isTerminal = process.stdout.isTTY === true;

// Every test file starts servers of its own: here it only matters that there is one to start.
const redis = await ensureRedis({ demo: false, log: console.log });
await redis.stop();
await ensureChromium(console.log);

const folder = await mkdtemp(join(tmpdir(), "ragline-tests-"));
try {
  const results = join(folder, "results.tap");
  const exitCode = await runTap(results);
  const text = await readFile(results, "utf8").catch(() => "");
  const { passed, failed } = count(text, exitCode);
  if (!isTerminal) console.log(failures(text));
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = exitCode === 0 && failed > 0 ? 1 : exitCode;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** @returns its exit code, 1 when it was killed. */
async function runTap(results: string): Promise<number> {
  // A fresh installation of tap has all its own plugins, also the one that .taprc takes out.
  await tap(["build"], process.env);
  const options = ["--jobs=2", "--reporter=base", `--output-file=${results}`];
  // Without a terminal the reporter would draw each of its frames below the last one, but for this variable.
  const env = isTerminal ? process.env : { ...process.env, CI: "true" };
  return tap([...options, ...process.argv.slice(2)], env);
}

async function tap(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(TAP, args, { env, stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? 1;
}

/** tap's own numbers, in which a file that crashed or took too long is a failure. */
function count(tap: string, exitCode: number): { passed: number; failed: number } {
  const totals = [...tap.matchAll(/^# \{ total: \d+(.*) \}$/gm)].at(-1)?.[1] ?? "";
  const numberOf = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(totals)?.[1] ?? 0);
  const failed = numberOf("fail");
  return { passed: numberOf("pass"), failed: exitCode === 0 ? failed : Math.max(failed, 1) };
}

/** What failed and why, which the reporter does not show without a terminal. */
function failures(tap: string): string {
  let isShown = false;
  const shown = tap.split("\n").filter((line) => {
    if (/^ *# Subtest/.test(line)) isShown = false;
    else if (/^ *(not )?ok /.test(line)) isShown = line.trimStart().startsWith("not");
    return isShown;
  });
  return shown.join("\n");
}
