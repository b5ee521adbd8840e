import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import type { BatchSection } from "../../../src/protocol/batch.ts";
import type { Peer } from "../../../src/protocol/control.ts";
import type { InterestEntry, StreamPositionEntry } from "../../../src/protocol/relay.ts";
import { Relay } from "../../../src/worker/fanout/relay.ts";
import { sectionOf } from "./listener.ts";

export const ACME = sectionOf("orders", [{ id: "1-0", tenant: "acme" }]);

/** A worker as far as its relay goes: what it says of itself, and what it heard, in order. */
export class Party {
  readonly peer: Peer;
  readonly relay: Relay;
  readonly interest = new Map<string, boolean>();
  positions: StreamPositionEntry[] = [];
  settled: Promise<void> = Promise.resolve();
  readonly batches: BatchSection[] = [];
  readonly heard: StreamPositionEntry[] = [];
  readonly handovers: [move: number, positions: readonly StreamPositionEntry[]][] = [];
  /** Of all that came: ids of events, and what else. */
  readonly log: string[] = [];
  readonly lost: number[] = [];

  constructor(peer: Peer) {
    this.peer = peer;
    this.relay = new Relay({
      self: peer,
      ownInterest: () => [...this.interest],
      ownPositions: () => this.positions,
      settled: () => this.settled,
      onBatch: (sections) => {
        this.batches.push(...sections);
        for (const { records } of sections) this.log.push(...records.map(({ id }) => id));
      },
      onPositions: (positions) => {
        this.heard.push(...positions);
        for (const [, id] of positions) this.log.push(`at ${id}`);
      },
      onMissed: (key, gap) => this.log.push(`missed ${key} ${gap.reason}`),
      onReset: (key, epoch) => this.log.push(`reset ${key} ${epoch}`),
      onHandover: (move, positions) => {
        this.handovers.push([move, positions]);
        this.log.push(`move ${move}`);
      },
      onLost: (incarnation) => this.lost.push(incarnation),
    });
  }

  /** As Interest does: the siblings are told, then asked whether they have heard. */
  want(...entries: InterestEntry[]): Promise<void> {
    for (const [tenant, msgpack] of entries) this.interest.set(tenant, msgpack);
    this.relay.declareInterest(entries, []);
    return this.relay.barrier();
  }

  get received(): string[] {
    return this.batches.flatMap(({ records }) => records.map(({ id }) => id));
  }
}

export interface House {
  /** A worker that siblings can reach from now on. */
  open(incarnation: number): Promise<Party>;
  /** How a worker will be reached that is not there yet. */
  peer(incarnation: number): Peer;
}

export async function openHouse(t: Test): Promise<House> {
  const directory = await mkdtemp(join(tmpdir(), "ragline-relay-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const peer = (incarnation: number) => ({ incarnation, socketPath: join(directory, `${incarnation}.sock`) });
  const open = async (incarnation: number) => {
    const party = new Party(peer(incarnation));
    t.teardown(() => party.relay.close());
    await party.relay.listen();
    return party;
  };
  return { open, peer };
}

/** Workers 1, 2, …, that have all met. */
export async function openParties<N extends number>(
  t: Test,
  count: N,
): Promise<N extends 2 ? [Party, Party] : [Party, Party, Party]> {
  const { open } = await openHouse(t);
  const parties = await Promise.all(Array.from({ length: count }, (_, i) => open(i + 1)));
  for (const { relay, peer } of parties)
    relay.meet(parties.map((other) => other.peer).filter((other) => other !== peer));
  await Promise.all(parties.map(({ relay }) => relay.allMet()));
  return parties as N extends 2 ? [Party, Party] : [Party, Party, Party];
}

/** What a process says on a connection of its own. Resolves once the other end has hung up. */
export async function say({ peer }: Party, frames: readonly Uint8Array[]): Promise<void> {
  const socket = connect(peer.socketPath);
  socket.write(Buffer.concat(frames));
  socket.resume();
  await once(socket, "close");
}
