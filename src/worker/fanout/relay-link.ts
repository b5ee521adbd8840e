import { connect, type Socket } from "node:net";

/** Milliseconds between attempts to reach a sibling, which is busy when the first one fails. */
const RETRY_MS = 50;

export interface RelayLinkOptions {
  readonly socketPath: string;
  /** What the sibling must hear first. */
  readonly greeting: () => readonly Uint8Array[];
  /** Called after everything that waited has been sent. */
  readonly onConnected: () => void;
  /** The link worked and broke. It does not come back: what was on its way may or may not have arrived. */
  readonly onLost: () => void;
}

/**
 * One worker's way to one sibling, from when that is reachable to its end. What is sent before it is connected waits, in
 * order; what is sent after the link broke is dropped, because then the sibling is dead.
 */
export class RelayLink {
  readonly #options: RelayLinkOptions;
  #socket: Socket;
  #state: "connecting" | "connected" | "ended" = "connecting";
  #retry: NodeJS.Timeout | undefined;
  #waiting: { frame: Uint8Array; done: () => void }[] = [];
  readonly #inFlight = new Set<() => void>();

  constructor(options: RelayLinkOptions) {
    this.#options = options;
    this.#socket = this.#connect();
  }

  /** Resolves once the kernel has taken the frame, or the sibling is gone. */
  send(frame: Uint8Array): Promise<void> {
    if (this.#state === "ended") return Promise.resolve();
    return new Promise((done) => {
      if (this.#state === "connected") this.#write(frame, done);
      else this.#waiting.push({ frame, done });
    });
  }

  close(): void {
    this.#end();
    clearTimeout(this.#retry);
    this.#socket.destroy();
  }

  #connect(): Socket {
    const socket = connect(this.#options.socketPath);
    socket.on("connect", () => this.#connected());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#closed());
    return socket;
  }

  #connected(): void {
    this.#state = "connected";
    for (const frame of this.#options.greeting()) this.#socket.write(frame);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { frame, done } of waiting) this.#write(frame, done);
    this.#options.onConnected();
  }

  #write(frame: Uint8Array, done: () => void): void {
    this.#inFlight.add(done);
    this.#socket.write(frame, () => {
      this.#inFlight.delete(done);
      done();
    });
  }

  #closed(): void {
    if (this.#state === "connecting") {
      this.#retry = setTimeout(() => {
        this.#socket = this.#connect();
      }, RETRY_MS);
    } else if (this.#state === "connected") {
      this.#end();
      this.#options.onLost();
    }
  }

  #end(): void {
    this.#state = "ended";
    for (const done of this.#inFlight) done();
    this.#inFlight.clear();
    for (const { done } of this.#waiting) done();
    this.#waiting = [];
  }
}
