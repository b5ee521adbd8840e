import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** The process ids of everything `pid` started, directly or not. */
export async function descendants(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid="]);
  const rows = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found: number[] = [];
  let parents = [pid];
  while (parents.length > 0) {
    parents = rows.filter(([, parent]) => parents.includes(parent!)).map(([child]) => child!);
    found.push(...parents);
  }
  return found;
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
