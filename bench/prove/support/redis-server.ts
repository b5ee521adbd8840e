import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { type PrivateRedis, startPrivateRedis } from "../../../src/cli/private-redis.ts";
import { freePort } from "../../../test/support/free-port.ts";
import { until } from "../../../test/support/until.ts";

const ENDS_WITHIN_MS = 30_000;

/** A Redis that can be ended and started again on the same port, with or without what it had. */
export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly #args: readonly string[];
  #process: PrivateRedis | null = null;
  #commands: Redis | null = null;

  private constructor(port: number, folder: string, args: readonly string[]) {
    this.port = port;
    this.#folder = folder;
    this.#args = args;
  }

  /** @param args as on the command line, like `--appendonly yes`. */
  static async start(args: readonly string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), await mkdtemp(join(tmpdir(), "ragline-prove-")), args);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** For commands of the proof itself. */
  get commands(): Redis {
    this.#commands ??= new Redis(this.port, "127.0.0.1").on("error", () => {});
    return this.#commands;
  }

  /** With what it wrote to disk before, if it did. */
  async start(): Promise<void> {
    this.#process = await startPrivateRedis({ port: this.port, args: ["--dir", this.#folder, ...this.#args] });
  }

  /** SIGTERM: it ends as it likes. SIGKILL: it ends at once. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { pid, stop } = this.#process!;
    process.kill(pid, signal);
    await until("Redis to end", () => !isRunning(pid), ENDS_WITHIN_MS);
    await stop();
    this.#process = null;
  }

  /** It keeps its connections and does nothing. */
  stopAnswering(): void {
    process.kill(this.#process!.pid, "SIGSTOP");
  }

  answerAgain(): void {
    process.kill(this.#process!.pid, "SIGCONT");
  }

  /** For good. */
  async close(): Promise<void> {
    this.#commands?.disconnect();
    await this.#process?.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
