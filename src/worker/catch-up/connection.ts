import type { Gap } from "../../protocol/websocket.js";
import type { Subscriber } from "../fanout/subscriber.js";

/** What catching up needs of a connection, beyond what the hub does. */
export interface Connection extends Subscriber {
  readonly isClosed: boolean;
  /** Bytes it can be sent at once; 0 while it has to take some first. */
  readonly room: number;
  /** Says `connected`, with the position the connection starts from. */
  greet(cursor: string): void;
  sendGap(gap: Gap): void;
  /** Sends frames that stand one behind the other, to a connection that has room. @param ends where each ends. */
  sendFrames(frames: Uint8Array, ends: readonly number[]): void;
  /** Resolves once the connection has room, or is closed. */
  writable(): Promise<void>;
}
