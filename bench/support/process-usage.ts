import { existsSync, readdirSync, readFileSync } from "node:fs";

/**
 * CPU seconds of a process so far, all its threads, user and kernel, from the scheduler. Linux only.
 * @throws Error when it has ended
 */
export function cpuSeconds(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) throw new Error(`process ${pid}, which is measured, has ended`);
  const nanoseconds = readdirSync(tasks).map((task) => {
    return Number(readFileSync(`${tasks}/${task}/schedstat`, "latin1").split(" ")[0]);
  });
  return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e9;
}

/** CPU seconds these cores have worked so far, for whatever process. In steps of a hundredth, mostly. */
export function busySeconds(cores: readonly number[]): number {
  const lines = readFileSync("/proc/stat", "latin1");
  const ticks = cores.map((core) => {
    const [, user, nice, system, , , interrupts, softInterrupts] =
      new RegExp(`^cpu${core} (.*)$`, "m").exec(lines)?.[0].split(" ").map(Number) ?? [];
    return user! + nice! + system! + interrupts! + softInterrupts!;
  });
  return ticks.reduce((sum, count) => sum + count, 0) / TICKS_PER_SECOND;
}

/** USER_HZ (proc(5)). */
const TICKS_PER_SECOND = 100;

/** Bytes of memory a process holds now. */
export interface ProcessMemory {
  /** Resident, code and shared libraries included. */
  readonly resident: number;
  /** Resident and backed by no file: the heap of JavaScript and that of C. */
  readonly heap: number;
}

export function memoryOf(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const bytesOf = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
  return { resident: bytesOf("VmRSS"), heap: bytesOf("RssAnon") };
}

/** How many files this process, and each it starts, may have open. */
export function openFilesLimit(): number {
  const limits = readFileSync("/proc/self/limits", "latin1");
  const found = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return found === "unlimited" ? Number.POSITIVE_INFINITY : Number(found);
}

/** Beside the connections. */
const OTHER_FILES = 300;

/** The benchmark cannot be run as this machine is set up. */
export class MachineLimitError extends Error {}

/** @throws MachineLimitError when no process could have so many connections. */
export function assertOpenFiles(connections: number): void {
  const needed = connections + OTHER_FILES;
  const allowed = openFilesLimit();
  if (needed <= allowed) return;
  throw new MachineLimitError(
    `one process needs ${needed} open files, and \`ulimit -n\` allows ${allowed}: raise it, or use --quick for fewer connections`,
  );
}
