import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { type BatchSection, decodeBatch, encodeBatch } from "../../protocol/batch.js";
import type { Peer } from "../../protocol/control.js";
import {
  frameBatch,
  frameMessage,
  type InterestEntry,
  type RelayMessage,
  RelayReader,
  type StreamPositionEntry,
} from "../../protocol/relay.js";
import { RelayLink } from "./relay-link.js";

export interface RelayOptions {
  readonly worker: number;
  readonly socketPath: string;
  /** Tenants with subscribers on this worker. */
  readonly ownInterest: () => readonly InterestEntry[];
  /** How far this worker's own streams have been delivered. */
  readonly ownPositions: () => readonly StreamPositionEntry[];
  /** Resolves once everything read so far has been relayed. */
  readonly settled: () => Promise<void>;
  readonly onBatch: (sections: readonly BatchSection[]) => void;
  readonly onPositions: (positions: readonly StreamPositionEntry[]) => void;
}

interface Sibling {
  readonly link: RelayLink;
  /** Its tenants with subscribers. */
  readonly tenants: Set<string>;
  /** Those of them with subscribers that take MessagePack. */
  readonly msgpackTenants: Set<string>;
}

/**
 * Hands encoded batches to the siblings that have subscribers for them. Every worker writes to each sibling over a
 * connection of its own, so that its interest, batches and positions arrive in the order they were sent.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #server: Server;
  readonly #siblings = new Map<number, Sibling>();
  readonly #inbound = new Set<Socket>();
  readonly #barriers = new Map<number, { waitingFor: Set<number>; passed: () => void }>();
  #lastBarrier = 0;
  /** Siblings that have told us their interest. */
  readonly #met = new Set<number>();
  #onMet: () => void = () => {};

  constructor(options: RelayOptions) {
    this.#options = options;
    // A worker that died left its socket file behind.
    rmSync(options.socketPath, { force: true });
    this.#server = createServer((socket) => this.#receive(socket)).listen(options.socketPath);
  }

  /** Opens links to new siblings and closes those to siblings that are gone. */
  setSiblings(peers: readonly Peer[]): void {
    const present = new Set(peers.map(({ worker }) => worker));
    for (const [worker, { link }] of this.#siblings) {
      if (present.has(worker)) continue;
      link.close();
      this.#siblings.delete(worker);
      this.#met.delete(worker);
      for (const number of this.#barriers.keys()) this.#passBarrier(number, worker);
    }
    for (const peer of peers) this.#sibling(peer);
  }

  /**
   * Resolves once every sibling has told us its interest: what is read before could be withheld from its subscribers.
   * @param withinMs after which siblings that are silent are taken to be down; they have no subscribers then.
   */
  async allMet(withinMs: number): Promise<void> {
    const deadline = new Promise<true>((resolve) => setTimeout(resolve, withinMs, true).unref());
    while ([...this.#siblings.keys()].some((worker) => !this.#met.has(worker))) {
      const met = new Promise<false>((resolve) => {
        this.#onMet = () => resolve(false);
      });
      if (await Promise.race([met, deadline])) return;
    }
  }

  /** Whether a sibling has subscribers of this tenant. */
  wants(tenant: string): boolean {
    for (const { tenants } of this.#siblings.values()) if (tenants.has(tenant)) return true;
    return false;
  }

  wantsMsgpack(): boolean {
    for (const { msgpackTenants } of this.#siblings.values()) if (msgpackTenants.size > 0) return true;
    return false;
  }

  /** Resolves once every interested sibling's share is in the kernel's hands. */
  async relay(sections: readonly BatchSection[]): Promise<void> {
    const sends: Promise<void>[] = [];
    for (const { link, tenants } of this.#siblings.values()) {
      const share = shareOf(sections, tenants);
      if (share.length > 0) sends.push(link.send(frameBatch(encodeBatch(share))));
    }
    await Promise.all(sends);
  }

  declareInterest(add: readonly InterestEntry[], remove: readonly string[]): void {
    this.#tellAll({ kind: "interest", add, remove });
  }

  /** Resolves once every sibling relays what was declared before, and has said where its streams stand. */
  barrier(): Promise<void> {
    if (this.#siblings.size === 0) return Promise.resolve();
    const number = ++this.#lastBarrier;
    return new Promise((passed) => {
      this.#barriers.set(number, { waitingFor: new Set(this.#siblings.keys()), passed });
      this.#tellAll({ kind: "barrier", number });
    });
  }

  announceProgress(positions: readonly StreamPositionEntry[]): void {
    if (positions.length > 0) this.#tellAll({ kind: "progress", positions });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#inbound) socket.destroy();
    for (const { link } of this.#siblings.values()) link.close();
  }

  #tellAll(message: RelayMessage): void {
    const frame = frameMessage(message);
    for (const { link } of this.#siblings.values()) void link.send(frame);
  }

  #sibling({ worker, socketPath }: Peer): Sibling {
    let sibling = this.#siblings.get(worker);
    if (sibling === undefined) {
      const link: RelayLink = new RelayLink(
        socketPath,
        () => this.#greeting(worker),
        () => void link.send(frameMessage({ kind: "progress", positions: this.#options.ownPositions() })),
      );
      sibling = { link, tenants: new Set(), msgpackTenants: new Set() };
      this.#siblings.set(worker, sibling);
    }
    return sibling;
  }

  #greeting(worker: number): Uint8Array[] {
    const { worker: self, socketPath } = this.#options;
    return [frameMessage({ kind: "hello", worker: self, socketPath }), ...this.#wishes(worker)];
  }

  /** All a sibling has to know of us, whatever it heard before. */
  #wishes(worker: number): Uint8Array[] {
    const unanswered = [...this.#barriers].filter(([, { waitingFor }]) => waitingFor.has(worker));
    return [
      frameMessage({ kind: "interest", add: this.#options.ownInterest(), remove: [] }),
      ...unanswered.map(([number]) => frameMessage({ kind: "barrier", number })),
    ];
  }

  #receive(socket: Socket): void {
    let speaker = 0;
    const reader = new RelayReader({
      batch: (bytes) => this.#options.onBatch(decodeBatch(bytes)),
      message: (message) => {
        if (message.kind === "hello") speaker = this.#meet(message);
        else this.#hear(speaker, message);
      },
    });
    this.#inbound.add(socket);
    socket.on("data", (chunk) => reader.push(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#inbound.delete(socket));
  }

  /** A sibling that greets us may have started anew, or before we were told of it. */
  #meet(peer: Peer): number {
    const { link, tenants, msgpackTenants } = this.#sibling(peer);
    tenants.clear();
    msgpackTenants.clear();
    for (const frame of this.#wishes(peer.worker)) void link.send(frame);
    return peer.worker;
  }

  #hear(speaker: number, message: Exclude<RelayMessage, { kind: "hello" }>): void {
    switch (message.kind) {
      case "interest":
        this.#noteInterest(speaker, message.add, message.remove);
        return;
      case "barrier":
        void this.#answerBarrier(speaker, message.number);
        return;
      case "passed":
        this.#options.onPositions(message.positions);
        this.#passBarrier(message.number, speaker);
        return;
      case "progress":
        this.#options.onPositions(message.positions);
        return;
    }
  }

  #noteInterest(speaker: number, add: readonly InterestEntry[], remove: readonly string[]): void {
    const sibling = this.#siblings.get(speaker);
    if (sibling === undefined) return;
    for (const tenant of remove) {
      sibling.tenants.delete(tenant);
      sibling.msgpackTenants.delete(tenant);
    }
    for (const [tenant, msgpack] of add) {
      sibling.tenants.add(tenant);
      if (msgpack) sibling.msgpackTenants.add(tenant);
    }
    this.#met.add(speaker);
    this.#onMet();
  }

  async #answerBarrier(speaker: number, number: number): Promise<void> {
    const { settled, ownPositions } = this.#options;
    await settled();
    const answer: RelayMessage = { kind: "passed", number, positions: ownPositions() };
    await this.#siblings.get(speaker)?.link.send(frameMessage(answer));
  }

  #passBarrier(number: number, worker: number): void {
    const barrier = this.#barriers.get(number);
    if (barrier === undefined) return;
    barrier.waitingFor.delete(worker);
    if (barrier.waitingFor.size > 0) return;
    this.#barriers.delete(number);
    barrier.passed();
  }
}

/** The records a sibling has subscribers for; sections without any are left out. */
function shareOf(sections: readonly BatchSection[], tenants: ReadonlySet<string>): BatchSection[] {
  if (tenants.size === 0) return [];
  return sections
    .map((section) => ({ ...section, records: section.records.filter(({ tenant }) => tenants.has(tenant)) }))
    .filter(({ records }) => records.length > 0);
}
