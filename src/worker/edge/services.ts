import type { Settings } from "../../config.js";
import type { Log } from "../../observe/log.js";
import type { Channel } from "../../protocol/channel.js";
import type { WorkerStatistics } from "../../protocol/control.js";
import type { RefusalCode } from "../../protocol/errors.js";
import type { TypeFilter } from "../../protocol/filter.js";
import type { Identity } from "../../protocol/identity.js";
import type { Gap } from "../../protocol/websocket.js";

/** What the other steps of the worker do for the edge. worker.ts puts it together. */
export interface EdgeServices {
  readonly settings: Settings;
  readonly log: Log;
  /** @throws RefusalError when the token is not good. */
  authenticate(token: string): Promise<Identity>;
  /** @throws RefusalError `revoked`. To be asked in the turn in which a connection begins. */
  refuseRevoked(identity: Identity): void;
  /**
   * Takes one place of the tenant and the user, and brings the tenant's events to this worker.
   * @throws RefusalError `quota_exceeded` or `unavailable`.
   */
  prepare(who: TenantUser, msgpack: boolean): Promise<void>;
  /** Undoes one `prepare`. */
  release(who: TenantUser): void;
  /** Greets the connection, catches it up from its last id, and makes it live. */
  open(connection: EdgeConnection, lastEventId: string | null): void;
  close(connection: EdgeConnection): void;
  /** The connection missed the frame of this cursor: it is live no more, and catches up as it drains. */
  fallBehind(connection: EdgeConnection, cursor: string): void;
  changeFilter(connection: EdgeConnection, filter: TypeFilter): void;
  /** @returns the ids, in the order of the items. @throws RefusalError when any item is bad; then none is added. */
  publish(request: PublishRequest): Promise<string[]>;
  /** Connections of every worker of the gateway. */
  statistics(): Promise<readonly WorkerStatistics[]>;
  /** What keeps this worker from delivering. Empty: nothing. */
  problems(): string[];
  /**
   * Whether a new connection can be taken.
   * @throws RefusalError `unavailable` when the worker could deliver and now cannot, `going_away` when it stops.
   */
  checkOpen(): void;
  /** Counts a refusal, or the end of a connection that the gateway did not just send away. */
  refused(code: RefusalCode): void;
}

export type TenantUser = Pick<Identity, "tenant" | "user">;

export interface PublishRequest {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly identity: Identity;
}

/** A client's connection, SSE or WebSocket, as the other steps see it. */
export interface EdgeConnection {
  /** Names the connection in logs, and to a WebSocket client. */
  readonly id: string;
  readonly tenant: string;
  readonly user: string;
  readonly channel: Channel;
  readonly format: "sse" | "json" | "msgpack";
  readonly isClosed: boolean;
  /** Bytes it can be sent at once; 0 while it has to take some first. */
  readonly room: number;
  filter: TypeFilter;
  send(frame: Uint8Array, cursor: string): void;
  greet(cursor: string): void;
  sendGap(gap: Gap): void;
  sendFrames(frames: Uint8Array, ends: readonly number[]): void;
  writable(): Promise<void>;
  /** Ends the connection with a code of the refusal table. */
  end(code: EndCode, message?: string): void;
  /** Tells the client to come back, then ends the connection. */
  sendAway(retryMs: number): void;
}

/** Reasons for which an accepted connection can be ended. */
export type EndCode = "token_expired" | "revoked" | "unavailable" | "rate_limited" | "too_large" | "going_away";
