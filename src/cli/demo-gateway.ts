import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CommandError } from "./command-error.js";

/** A gateway that ends with this process, however this process ends. */
export interface DemoGateway {
  /** Rejects when the gateway ends without having been stopped. */
  readonly failed: Promise<never>;
  /** Resolves once `url` answers 200, or `signal` is aborted. @throws CommandError when the gateway ends before */
  whenHealthy(url: string, signal: AbortSignal): Promise<void>;
  /** Resolves once the gateway has ended; may be called again. */
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));
const HEALTH_CHECK_MS = 100;
/** Milliseconds a gateway asked to stop is given; the demo's drain is short. */
const STOP_WITHIN_MS = 15_000;

/** Asks the process $0 to end once standard input ends without a line: when whoever holds the other end has died. */
const GUARD = 'read -r released || kill -TERM "$0"';

export function startGateway(environment: NodeJS.ProcessEnv): DemoGateway {
  // A session of its own: Ctrl-C in the terminal is for the demo, which then stops everything in order.
  const gateway = spawn(process.execPath, [MAIN], {
    env: environment,
    stdio: ["ignore", "inherit", "inherit"],
    detached: true,
  });
  const release = guard(gateway);
  const exited = once(gateway, "exit");
  let isStopping = false;

  const failed = exited.then(([code, signal]): Promise<never> => {
    release();
    if (isStopping) return new Promise(() => {});
    throw new CommandError(`the gateway has ended (${signal ?? `exit code ${code}`})`);
  });
  // Whoever waits for it is told; nobody has to.
  failed.catch(() => {});

  return {
    failed,
    whenHealthy: async (url, signal) => {
      while (!signal.aborted && !(await Promise.race([isHealthy(url), failed]))) await delay(HEALTH_CHECK_MS);
    },
    stop: async () => {
      isStopping = true;
      gateway.kill("SIGTERM");
      const tooLate = setTimeout(() => gateway.kill("SIGKILL"), STOP_WITHIN_MS);
      await exited;
      clearTimeout(tooLate);
    },
  };
}

/**
 * Nobody else must listen there: the kernel would share the port out among two gateways of the same user.
 *
 * @throws CommandError
 */
export async function requireFreePort(host: string, port: number, setting: string): Promise<void> {
  const probe = createServer();
  try {
    probe.listen({ host, port });
    await once(probe, "listening");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const problem = code === "EADDRINUSE" ? "is taken" : `on ${host} cannot be used (${code})`;
    throw new CommandError(`port ${port} ${problem}: set ${setting} to another one`);
  }
  probe.close();
  await once(probe, "close");
}

function guard({ pid }: ChildProcess): () => void {
  const shell = spawn("/bin/sh", ["-c", GUARD, String(pid)], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  const line = shell.stdin as Socket;
  line.on("error", () => {});
  for (const handle of [shell, line]) handle.unref();
  return () => line.end("\n");
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
