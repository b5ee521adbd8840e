import { once } from "node:events";
import { connect } from "node:net";
import type { Test } from "tap";
import { until } from "./until.ts";

/** A TCP connection on which nothing is said or checked but what the test says. */
export interface RawSocket {
  send(data: string | Uint8Array): void;
  /** Ends our side, and goes on reading. */
  halfClose(): void;
  destroy(): void;
  /** Stops reading. */
  pause(): void;
  bytes(): Buffer;
  text(): string;
  /** Resolves once what came matches. */
  receives(pattern: RegExp, waitMs?: number): Promise<void>;
  readonly isClosed: boolean;
  /** Resolves once the other side ended the connection, however it did. */
  readonly closed: Promise<void>;
}

export async function openRaw(t: Test, port: number): Promise<RawSocket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  const chunks: Buffer[] = [];
  let isClosed = false;
  socket.on("data", (chunk) => chunks.push(chunk));
  // What the other side does not take any more is no failure of ours.
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => {
    const end = () => {
      isClosed = true;
      resolve();
    };
    socket.on("end", end).on("close", end);
  });
  await once(socket, "connect");
  const text = () => Buffer.concat(chunks).toString("latin1");
  return {
    send: (data) => void socket.write(data),
    halfClose: () => void socket.end(),
    destroy: () => socket.destroy(),
    pause: () => void socket.pause(),
    bytes: () => Buffer.concat(chunks),
    text,
    receives: async (pattern, waitMs) => void (await until(String(pattern), () => pattern.test(text()), waitMs)),
    get isClosed() {
      return isClosed;
    },
    closed,
  };
}
