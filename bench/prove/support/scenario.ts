import type { TcpProxy } from "../../../test/support/tcp-proxy.ts";
import type { Crowd } from "./crowd.ts";
import type { ClientKind } from "./crowd-messages.ts";
import type { ProofGateway } from "./gateway.ts";
import type { Publisher } from "./publisher.ts";
import type { Random } from "./random.ts";
import type { RedisServer } from "./redis-server.ts";
import type { Tenant } from "./tenants.ts";

/**
 * One way to do harm, while events are published and clients listen. Whatever it does, what every client got is compared
 * with what was published once it is over.
 */
export interface Scenario {
  readonly name: string;
  /** What is done, and what must come of it, in a sentence. */
  readonly what: string;
  readonly setting?: Setting;
  /** Does it. @throws Error when something does not come of it that must. */
  run(scene: Scene): Promise<void>;
}

/** How a scenario differs from the usual one. */
export interface Setting {
  /** Arguments of redis-server. */
  readonly redis?: readonly string[];
  /** The gateway's way to Redis can be cut. */
  readonly network?: boolean;
  /** Prepares Redis before the gateway starts. @returns the part of its address before the host, like `user:password@` */
  readonly prepare?: (redis: RedisServer) => Promise<string>;
  readonly workers?: number;
  /** Of the gateway. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly tenants?: number;
  readonly clients?: Partial<Clients>;
  /** Replaces what differs with --quick. */
  readonly quick?: Partial<Clients>;
  /** Events per second by XADD, and bytes of padding in each. */
  readonly perSecond?: number;
  readonly padBytes?: number;
  /** Reasons for which gaps are to be expected; by default there are to be none. */
  readonly gaps?: readonly string[];
  /** Topics of which gaps are to be expected; by default any. */
  readonly gapTopics?: readonly string[];
  /** Clients whose connections the gateway may end; by default it must end none. */
  readonly mayBeCut?: readonly ClientKind[];
}

/** How many there are of each kind. */
export type Clients = Readonly<Record<ClientKind, number>>;

/** What a scenario has to do with. */
export interface Scene {
  readonly quick: boolean;
  readonly random: Random;
  /** Where the events are; another one after a failover. */
  redis: RedisServer;
  /** The gateway's way to Redis; null without `network` in the setting. */
  readonly network: TcpProxy | null;
  readonly gateway: ProofGateway;
  readonly publisher: Publisher;
  readonly crowd: Crowd;
  readonly tenants: readonly Tenant[];
  /** To be called when the scenario is over, whatever comes of it. */
  readonly undo: (() => unknown)[];
  /** Something the reader is to know. */
  note(text: string): void;
}
