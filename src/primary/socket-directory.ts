import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const NAME = /^ragline-gateway-(\d+)-/;

/**
 * A new directory that only our own user can enter (mode 0700), for the workers' sockets. Those that gateways left
 * behind when they were killed are removed; whose gateway may still run, the process id in its name says.
 *
 * @returns its path.
 */
export function makeSocketDirectory(parent: string = tmpdir()): string {
  for (const name of readdirSync(parent)) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) removeOwn(join(parent, name));
  }
  return mkdtempSync(join(parent, `ragline-gateway-${process.pid}-`));
}

/** After a restart in a container, the process that had our number before is gone. */
function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** What belongs to another user stays. */
function removeOwn(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (!["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}
