import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { onServerCores } from "./cores.ts";

/** What is measured: a gateway, or a reference, on the servers' cores. */
export interface Server {
  readonly port: number;
  /** All its processes. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const STOP_WITHIN_MS = 15_000;

/**
 * Starts a program of Node's on the servers' cores; it does not outlive this process.
 * @param onLog gets what it writes; without it, that goes where our own output goes.
 */
export function spawnServer(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onLog?: (text: string) => void,
): ChildProcess {
  const [command, ...rest] = onServerCores([process.execPath, ...args]);
  const output = onLog === undefined ? "inherit" : "pipe";
  const child = spawn(command!, rest, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", output, output],
  });
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", onLog!);
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  child.on("exit", () => process.off("exit", kill));
  return child;
}

/** Ends it kindly, then not. */
export async function endServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const killing = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
  await exited;
  clearTimeout(killing);
}
