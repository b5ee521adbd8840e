import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";

export interface Launched {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** The exit code, once it has ended and all it wrote was read; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** Everything it wrote so far, to either stream. */
  output(): string;
  /** Asks it to end, and ends it and its process group if it does not. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

const STOP_WITHIN_MS = 30_000;

/** Ends the process group $0 once standard input ends without a line: when whoever holds the other end has died. */
const GUARD = 'read -r released || kill -9 -"$0"';

/** Runs Node in a process group of its own, with this environment alone. It ends with us, however we end. */
export function launch(args: readonly string[], env: Readonly<Record<string, string>>): Launched {
  const child = spawn(process.execPath, [...args], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const pid = child.pid!;
  const release = guard(pid);
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => chunks.push(text));
  const exited = once(child, "close").then(([code]): number | null => {
    release();
    return code;
  });
  return {
    child,
    exited,
    output: () => chunks.join(""),
    stop: async (signal = "SIGTERM") => {
      const timer = setTimeout(() => killGroup(pid), STOP_WITHIN_MS);
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited.finally(() => clearTimeout(timer));
    },
  };
}

function guard(pid: number): () => void {
  const shell = spawn("/bin/sh", ["-c", GUARD, String(pid)], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  const line = shell.stdin as Socket;
  line.on("error", () => {});
  for (const handle of [shell, line]) handle.unref();
  return () => line.end("\n");
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left.
  }
}
