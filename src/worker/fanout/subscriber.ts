import type { Channel } from "../../protocol/channel.js";
import type { TypeFilter } from "../../protocol/filter.js";

/** What a frame looks like on the wire. */
export type FrameFormat = "sse" | "json" | "msgpack";

/** What the hub needs of a connection. SSE and WebSocket each fulfil it; the hub never learns which is which. */
export interface Subscriber {
  readonly tenant: string;
  readonly user: string;
  readonly channel: Channel;
  readonly format: FrameFormat;
  filter: TypeFilter;
  /**
   * Sends one frame to this connection alone, after everything sent before. The frame is good only for the call.
   * @param cursor of the frame.
   */
  send(frame: Uint8Array, cursor: string): void;
}

/** How a transport reaches all members of one audience with one call. */
export interface AudienceSink {
  add(subscriber: Subscriber): void;
  remove(subscriber: Subscriber): void;
  /**
   * The frame is good only for the call: copy what must last.
   * @param cursor of the frame.
   */
  write(frame: Uint8Array, cursor: string): void;
  /** Ends a turn: what was written and not yet sent goes out now. */
  flush(): void;
}

/** @param topic distinct for every audience; starts with the tenant. */
export type OpenAudience = (topic: string, format: FrameFormat) => AudienceSink;
