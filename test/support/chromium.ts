import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type BrowserContext, chromium } from "playwright-core";
import type { Test } from "tap";

const run = promisify(execFile);

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const INSTALL = "apt-get update && apt-get install -y --no-install-recommends chromium";
const ARGUMENTS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

/** A headless Chromium with an empty profile, which ends with the test. */
export async function openChromium(t: Test): Promise<BrowserContext> {
  const profile = await mkdtemp(join(tmpdir(), "ragline-chromium-"));
  const executablePath = (await findChromium()) ?? fail("there is no Chromium in PATH");
  const browser = await chromium.launchPersistentContext(profile, { executablePath, args: ARGUMENTS });
  t.teardown(async () => {
    await browser.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 3 });
  });
  return browser;
}

/**
 * The path of a Chromium: CHROMIUM_PATH, or one in PATH, or one that is installed first (Debian and Ubuntu, as root or
 * with password-less sudo).
 *
 * @throws {Error} when none of these is possible, naming the command that installs one
 */
export async function ensureChromium(log: (line: string) => void): Promise<string> {
  const found = await findChromium();
  if (found !== undefined) return found;
  const prefix = await rootPrefix();
  if (prefix === undefined) return fail("there is no Chromium in PATH");
  log(`No Chromium in PATH: installing it (${INSTALL})`);
  const [command = "", ...args] = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "/bin/sh", "-c", INSTALL];
  try {
    await run(command, args, { maxBuffer: 1 << 26 });
  } catch (error) {
    return fail(`installing Chromium failed: ${(error as Error).message.slice(-1000)}`);
  }
  return (await findChromium()) ?? fail("Chromium was installed, but is not in PATH");
}

async function findChromium(): Promise<string | undefined> {
  const { CHROMIUM_PATH } = process.env;
  if (CHROMIUM_PATH) return existsSync(CHROMIUM_PATH) ? CHROMIUM_PATH : fail(`CHROMIUM_PATH names no file`);
  for (const name of NAMES) {
    const path = await run("/bin/sh", ["-c", `command -v ${name}`]).then(
      ({ stdout }) => stdout.trim(),
      () => "",
    );
    if (path !== "") return path;
  }
  return undefined;
}

/** What to put before a command to run it as root; undefined where that, or apt-get, is missing. */
async function rootPrefix(): Promise<string[] | undefined> {
  if (!existsSync("/etc/debian_version") || !existsSync("/usr/bin/apt-get")) return undefined;
  if (process.getuid?.() === 0) return [];
  return run("sudo", ["-n", "true"]).then(
    () => ["sudo", "-n"],
    () => undefined,
  );
}

function fail(reason: string): never {
  const install = `Debian, Ubuntu: sudo ${INSTALL.replace("&& ", "&& sudo ")}; macOS: brew install chromium`;
  throw new Error(`${reason}. The tests need a Chromium: install one (${install}), or set CHROMIUM_PATH to one.`);
}
