import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** A Redis of our own on 127.0.0.1, empty at first, that ends with this process however this process ends. */
export interface PrivateRedis {
  url: string;
  port: number;
  /** Of the server itself, for signals. */
  pid: number;
  /** Ends the server at once (SIGKILL: there is nothing to save) and removes its directory; may be called again. */
  stop(): Promise<void>;
}

export interface PrivateRedisOptions {
  /** The server's path; by default the first of redis-server and valkey-server in PATH. */
  program?: string;
  /** A free one by default. */
  port?: number;
  /** Further arguments, which may override ours: `["--maxmemory", "1mb"]`. */
  args?: readonly string[];
}

const READY_WITHIN_MS = 30_000;
const PORT_ATTEMPTS = 10;
const PORT_TAKEN = /address already in use/i;

/**
 * Arguments: directory, program and its arguments. Runs the program, writes its process id to descriptor 3, and
 * ends it once the other end closes that or dies; then removes the directory.
 */
const KEEPER = `
"$@" 3<&- & server=$!
(read -r line <&3; kill -9 $server) & keeper=$!
trap "" PIPE
echo $server >&3
wait $server; code=$?
{ kill $keeper; wait $keeper; } 2>/dev/null
rm -rf "$0"
exit $code`;

/** @throws {Error} when there is no server in PATH, or it does not answer: with what it said last */
export async function startPrivateRedis(options: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const program = options.program ?? (await findRedisServer());
  if (program === undefined) throw new Error("neither redis-server nor valkey-server is in PATH");
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(program, options.port ?? (await freePort()), options.args ?? []);
    } catch (error) {
      // Between freePort and the server's start anyone may take the port.
      const again = options.port === undefined && attempt < PORT_ATTEMPTS;
      if (!again || !(error instanceof Error && PORT_TAKEN.test(error.message))) throw error;
    }
  }
}

export async function findRedisServer(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("/bin/sh", [
      "-c",
      "command -v redis-server || command -v valkey-server",
    ]);
    return stdout.trim();
  } catch {
    return undefined;
  }
}

/** What the server on this port of 127.0.0.1 answers to a command; "" if nothing answers within a second. */
export function askRedis(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1").setEncoding("utf8").setTimeout(1000);
    socket.on("connect", () => socket.write(`${command}\r\nQUIT\r\n`));
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("timeout", () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(answer));
  });
}

async function start(program: string, port: number, args: readonly string[]): Promise<PrivateRedis> {
  const folder = await mkdtemp(join(tmpdir(), "ragline-redis-"));
  const place = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder];
  const server = [program, ...place, "--save", "", "--appendonly", "no", ...args];
  const child = spawn("/bin/sh", ["-c", KEEPER, folder, ...server], {
    // Ctrl-C in the terminal is for us; the server is needed until we have drained.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  const [, stdout, stderr, life] = child.stdio as unknown as [null, Socket, Socket, Socket];
  const said = tailOf(stdout, stderr);
  // The server may be gone already when we let go of it.
  life.on("error", () => {});

  const stop = async () => {
    child.ref();
    life.end();
    await exited;
  };
  try {
    const [line] = await Promise.race([once(life, "data"), exited.then(() => [""])]);
    const pid = Number(line);
    await ready(child, pid, port, said);
    for (const handle of [child, stdout, stderr, life]) handle.unref();
    return { url: `redis://127.0.0.1:${port}/0`, port, pid, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Resolves once our server, and no other that took the port first, answers. */
async function ready(child: ChildProcess, pid: number, port: number, said: () => string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (child.exitCode === null && Date.now() < deadline) {
    const answer = await askRedis(port, "PING\r\nINFO server");
    if (answer.startsWith("+PONG") && answer.includes(`process_id:${pid}\r\n`)) return;
    // With a password set there is no more to learn.
    if (answer.startsWith("-NOAUTH")) return;
    await delay(10);
  }
  throw new Error(`the private Redis on port ${port} did not start: ${said().trim() || `exit code ${child.exitCode}`}`);
}

/** Reads to the end, so that the writer never waits for us, and keeps the last 4 KiB or so. */
function tailOf(...streams: Readable[]): () => string {
  let text = "";
  for (const stream of streams) {
    stream.on("data", (chunk: Buffer) => {
      text = (text + chunk).slice(-4096);
    });
  }
  return () => text;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
