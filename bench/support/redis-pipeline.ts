import { once } from "node:events";
import { createConnection, type Socket } from "node:net";

const LINE_END = 0x0a;
const MINUS = 0x2d;
/** The reply to an XADD is a length and an id, a line each. */
const LINES_PER_REPLY = 2;

/** Sends XADDs without waiting for each; only counts the replies, in place. */
export class RedisPipeline {
  readonly #socket: Socket;
  #lines = 0;
  #atLineStart = true;
  #written = 0;
  #failure: Error | null = null;
  #onReplies: (() => void) | null = null;

  private constructor(port: number) {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    const callback = (length: number, bytes: Uint8Array) => this.#receive(bytes, length);
    this.#socket = createConnection({ port, host: "127.0.0.1", noDelay: true, onread: { buffer, callback } });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("Redis closed the feeder's connection")));
  }

  static async connect(port: number): Promise<RedisPipeline> {
    const pipeline = new RedisPipeline(port);
    await once(pipeline.#socket, "connect");
    return pipeline;
  }

  close(): void {
    this.#socket.destroy();
  }

  get unanswered(): number {
    return this.#written - this.#lines / LINES_PER_REPLY;
  }

  /** @param bytes must not change before Redis has answered. */
  write(bytes: Uint8Array, commands: number): void {
    this.#written += commands;
    this.#socket.write(bytes);
  }

  /** @throws Error when Redis refuses a command or goes away */
  async untilUnanswered(atMost: number): Promise<void> {
    while (this.unanswered > atMost) {
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#onReplies = resolve;
      });
    }
  }

  #receive(bytes: Uint8Array, length: number): boolean {
    for (let i = 0; i < length; i++) {
      const byte = bytes[i];
      if (this.#atLineStart && byte === MINUS) {
        this.#fail(new Error(`Redis: ${Buffer.from(bytes.subarray(i, Math.min(length, i + 100)))}`));
      }
      this.#atLineStart = byte === LINE_END;
      if (byte === LINE_END) this.#lines++;
    }
    this.#wake();
    return true;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  #wake(): void {
    this.#onReplies?.();
    this.#onReplies = null;
  }
}
