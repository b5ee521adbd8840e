import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Which cores the servers run on, and which everything else: Redis, the feeder, the load generators. */
export interface CoreShares {
  readonly servers: readonly number[];
  readonly clients: readonly number[];
  /** Both have cores of their own. */
  readonly apart: boolean;
}

export const cores = shareOut(allowedCores());

/** For the reader of the numbers. */
export function coresLine(): string {
  const { servers, clients, apart } = cores;
  if (!apart) return "servers and load generators share all cores: taskset is missing, or there is only one core";
  return `servers on core ${servers.join(", ")}; load generators, feeder and Redis on core ${clients.join(", ")}`;
}

/** Moves this process, and whatever it starts from now on, to the clients' cores. */
export function moveToClientCores(): void {
  if (cores.apart) execFileSync("taskset", ["-a", "-c", "-p", cores.clients.join(","), String(process.pid)]);
}

/** The command that runs another on the servers' cores, in the same process. */
export function onServerCores(command: readonly string[]): string[] {
  return cores.apart ? ["taskset", "-c", cores.servers.join(","), ...command] : [...command];
}

function shareOut(all: readonly number[]): CoreShares {
  if (all.length < 2 || !hasTaskset()) return { servers: all, clients: all, apart: false };
  const half = Math.floor(all.length / 2);
  return { servers: all.slice(0, half), clients: all.slice(half), apart: true };
}

/** Empty where the system does not say. */
function allowedCores(): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "";
    return list.split(",").flatMap((range) => {
      const [first = 0, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
  } catch {
    return [];
  }
}

function hasTaskset(): boolean {
  try {
    execFileSync("taskset", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
