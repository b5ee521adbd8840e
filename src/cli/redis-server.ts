import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { askRedis, findRedisServer, startPrivateRedis } from "./private-redis.js";

export interface EnsureRedisOptions {
  /** For the demo, which may use a Redis that is running on this machine; tests want one of their own. */
  demo: boolean;
  /** Used as it is, if given. */
  redisUrl?: string;
  /** Gets one line before anything is installed. */
  log: (line: string) => void;
  /** Port of 127.0.0.1 on which a Redis may be running; 6379 by default. */
  localPort?: number;
}

export interface EnsuredRedis {
  url: string;
  /** Where it came from, in words. */
  how: string;
  /** Ends it, if it was started here. */
  stop(): Promise<void>;
}

const INSTALL = "apt-get update && apt-get install -y redis-server";

/**
 * A Redis for demo and test: the one given; for the demo one that is running here; a private one that ends with us,
 * whose server is installed first if it has to and can be (Debian and Ubuntu, as root or with password-less sudo).
 *
 * @throws {Error} when none of these is possible, naming the command that installs one
 */
export async function ensureRedis({
  demo,
  redisUrl,
  log,
  localPort = 6379,
}: EnsureRedisOptions): Promise<EnsuredRedis> {
  if (redisUrl) return { url: redisUrl, how: "from REDIS_URL", stop: async () => {} };
  if (demo && (await askRedis(localPort, "PING")).startsWith("+PONG")) {
    const address = `127.0.0.1:${localPort}`;
    return { url: `redis://${address}/0`, how: `running on ${address}`, stop: async () => {} };
  }
  const program = (await findRedisServer()) ?? (await install(log));
  const { url, port, stop } = await startPrivateRedis({ program });
  return { url, how: `private ${program} on port ${port}`, stop };
}

/** Installs the package and returns the server's path. */
async function install(log: EnsureRedisOptions["log"]): Promise<string> {
  const prefix = await rootPrefix();
  if (prefix === undefined) throw new Error(missing("there is no redis-server or valkey-server in PATH"));
  log(`No redis-server in PATH: installing it (${INSTALL})`);
  // In runlevel 1 the package does not start a server of the system, except under systemd, where it does no harm.
  const environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"];
  const [command = "", ...args] = [...prefix, ...environment, "/bin/sh", "-c", INSTALL];
  try {
    await promisify(execFile)(command, args, { maxBuffer: 1 << 26 });
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    throw new Error(missing(`installing redis-server failed: ${stderr.trim().slice(-1000) || message}`));
  }
  const program = await findRedisServer();
  if (program === undefined) throw new Error(missing("redis-server was installed, but is not in PATH"));
  return program;
}

/** What to put before a command to run it as root; `undefined` where that, or apt-get, is missing. */
async function rootPrefix(): Promise<string[] | undefined> {
  if (!existsSync("/etc/debian_version") || !(await succeeds("/bin/sh", "-c", "command -v apt-get"))) return undefined;
  if (process.getuid?.() === 0) return [];
  return (await succeeds("sudo", "-n", "true")) ? ["sudo", "-n"] : undefined;
}

async function succeeds(command: string, ...args: string[]): Promise<boolean> {
  try {
    await promisify(execFile)(command, args);
    return true;
  } catch {
    return false;
  }
}

function missing(reason: string): string {
  return (
    `${reason}. Install Redis 7 or later (Debian, Ubuntu: sudo apt-get install redis-server; ` +
    "macOS: brew install redis), or set REDIS_URL to a Redis that may be used."
  );
}
