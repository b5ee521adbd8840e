import { connect, type Socket } from "node:net";

/** Milliseconds between attempts to reach a sibling that does not listen yet. */
const RETRY_MS = 50;

/**
 * One worker's way to one sibling. What is sent before the sibling first listens waits, in order. What is sent while a
 * sibling that was there is gone is dropped, or it would hold up everyone else until it is back: it then hears in the
 * greeting all it has to know, and is owed no event before it was answered its barriers.
 */
export class RelayLink {
  readonly #socketPath: string;
  readonly #greeting: () => readonly Uint8Array[];
  readonly #onConnected: () => void;
  #socket: Socket | null = null;
  #connected = false;
  #gone = false;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;
  #waiting: { frame: Uint8Array; done: () => void }[] = [];
  readonly #inFlight = new Set<() => void>();

  /**
   * @param greeting what the sibling must hear first on every new connection.
   * @param onConnected called after everything that waited has been sent.
   */
  constructor(socketPath: string, greeting: () => readonly Uint8Array[], onConnected: () => void) {
    this.#socketPath = socketPath;
    this.#greeting = greeting;
    this.#onConnected = onConnected;
    this.#connect();
  }

  /** Resolves once the kernel has taken the frame, or the sibling is gone. */
  send(frame: Uint8Array): Promise<void> {
    if (this.#closed || this.#gone) return Promise.resolve();
    return new Promise((done) => {
      if (this.#connected) this.#write(frame, done);
      else this.#waiting.push({ frame, done });
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.destroy();
    this.#abandon();
  }

  #connect(): void {
    const socket = connect(this.#socketPath);
    this.#socket = socket;
    socket.on("connect", () => {
      this.#connected = true;
      this.#gone = false;
      for (const frame of this.#greeting()) socket.write(frame);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const { frame, done } of waiting) this.#write(frame, done);
      this.#onConnected();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#lost());
  }

  #write(frame: Uint8Array, done: () => void): void {
    this.#inFlight.add(done);
    this.#socket!.write(frame, () => {
      this.#inFlight.delete(done);
      done();
    });
  }

  /** A sibling that was connected and is gone has no clients any more: what it was owed is of no use to anyone. */
  #lost(): void {
    if (this.#connected) {
      this.#gone = true;
      this.#abandon();
    }
    this.#connected = false;
    if (!this.#closed) this.#retry = setTimeout(() => this.#connect(), RETRY_MS);
  }

  #abandon(): void {
    for (const done of this.#inFlight) done();
    this.#inFlight.clear();
    for (const { done } of this.#waiting) done();
    this.#waiting = [];
  }
}
