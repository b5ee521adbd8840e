import type { Test } from "tap";
import { WebSocket } from "ws";
import {
  type Connection,
  type ConnectOptions,
  connect,
  type GatewayEvent,
  type StateChange,
} from "../../src/browser/client.ts";
import { Inbox } from "../support/inbox.ts";
import { type StandInGateway, startStandIn } from "./stand-in-gateway.ts";

export interface FollowingClient {
  connection: Connection;
  events: Inbox<GatewayEvent>;
  states: Inbox<StateChange>;
  others: Inbox<unknown>;
}

/** A client with waits of at most 2 ms. */
export function follow(t: Test, gateway: StandInGateway, options: Partial<ConnectOptions> = {}): FollowingClient {
  const events = new Inbox<GatewayEvent>();
  const states = new Inbox<StateChange>();
  const others = new Inbox<unknown>();
  const connection = connect({
    url: gateway.url,
    token: "a.b.c",
    backoff: { baseMs: 1, maxMs: 2 },
    WebSocket,
    onEvent: (event) => events.push(event),
    onGap: (gap) => others.push(gap),
    onError: (error) => others.push(error),
    onState: (change) => states.push(change),
    ...options,
  });
  t.teardown(() => connection.close());
  return { connection, events, states, others };
}

export async function standIn(t: Test, options?: { webSockets: boolean }): Promise<StandInGateway> {
  const gateway = await startStandIn(options);
  t.teardown(() => gateway.stop());
  return gateway;
}

export const isOpen = ({ state }: StateChange) => state === "open";
export const isWaiting = ({ state }: StateChange) => state === "waiting";
export const isClosed = ({ state }: StateChange) => state === "closed";
