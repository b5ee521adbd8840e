import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

/** What the numbers were measured on, in one line. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() || "unknown CPU";
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const load = `load average ${loadavg()[0]!.toFixed(1)}`;
  return `${model}, ${availableParallelism()} cores, ${memory}, ${type()} ${release()}, ${load} at the start`;
}

/** Of what, in one line. */
export function versionsLine(): string {
  const packages = ["uWebSockets.js", "ioredis", "ws"].map(
    (name) => `${name} ${packageVersion(`../../node_modules/${name}`)}`,
  );
  return [`ragline-gateway ${packageVersion("../..")}`, `Node ${process.version}`, ...packages, redisVersion()].join(
    ", ",
  );
}

function packageVersion(directory: string): string {
  const file = new URL(`${directory}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function redisVersion(): string {
  try {
    const line = execFileSync("redis-server", ["--version"], { encoding: "utf8" });
    return `Redis ${/v=(\S+)/.exec(line)?.[1] ?? "unknown"}`;
  } catch {
    return "no redis-server in PATH";
  }
}
