import { once } from "node:events";
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
import type { Gap } from "../../protocol/websocket.js";
import { Barriers } from "./barriers.js";
import { RelayLink } from "./relay-link.js";

export interface RelayOptions {
  /** This worker, as its siblings reach it. */
  readonly self: Peer;
  /** Tenants with subscribers on this worker. */
  readonly ownInterest: () => readonly InterestEntry[];
  /** How far this worker's own streams have been delivered. */
  readonly ownPositions: () => readonly StreamPositionEntry[];
  /** Resolves once everything read so far has been relayed. */
  readonly settled: () => Promise<void>;
  readonly onBatch: (sections: readonly BatchSection[]) => void;
  /** Where the owner of streams says that they stand. */
  readonly onPositions: (positions: readonly StreamPositionEntry[]) => void;
  readonly onMissed: (key: string, gap: Gap) => void;
  readonly onReset: (key: string, epoch: number) => void;
  /** A sibling's last word on streams, after everything else it has to say of them. */
  readonly onHandover: (move: number, positions: readonly StreamPositionEntry[]) => void;
  /** The link to a sibling that should be alive has broken. */
  readonly onLost: (incarnation: number) => void;
}

interface Sibling {
  readonly link: RelayLink;
  /** Its tenants with subscribers. */
  readonly tenants: Set<string>;
  /** Those of them with subscribers that take MessagePack. */
  readonly msgpackTenants: Set<string>;
  /** It reads what we send, and has told us what it wants. */
  met: boolean;
}

/** Milliseconds in which the primary says that a sibling died; a link that breaks otherwise is reported to it. */
const LOST_AFTER_MS = 3_000;

/**
 * Hands encoded batches to the siblings that have subscribers for them. Every worker writes to each sibling over a
 * connection of its own, so that its interest, batches and positions arrive in the order they were sent.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #server: Server;
  readonly #siblings = new Map<number, Sibling>();
  /** Connections of siblings that have said who they are. */
  readonly #inbound = new Map<number, Socket>();
  readonly #sockets = new Set<Socket>();
  readonly #gone = new Set<number>();
  readonly #barriers = new Barriers();
  #onMet: (() => void)[] = [];

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#receive(socket));
  }

  /** @throws Error when the socket cannot be made. */
  async listen(): Promise<void> {
    this.#server.listen(this.#options.self.socketPath);
    await once(this.#server, "listening");
  }

  /** Links up with siblings, where that has not happened yet. */
  meet(peers: readonly Peer[]): void {
    for (const peer of peers) this.#sibling(peer);
  }

  /** Resolves once every sibling known, now or meanwhile, has welcomed us and told us its interest. */
  async allMet(): Promise<void> {
    while ([...this.#siblings.values()].some(({ met }) => !met)) {
      await new Promise<void>((resolve) => this.#onMet.push(resolve));
    }
  }

  /** Resolves once everything a sibling that has died sent us is delivered. It is owed nothing any more. */
  async gone(incarnation: number): Promise<void> {
    this.#gone.add(incarnation);
    this.#siblings.get(incarnation)?.link.close();
    const inbound = this.#inbound.get(incarnation);
    if (inbound !== undefined) await new Promise((resolve) => inbound.once("close", resolve));
  }

  /** Nothing waits any more for a sibling that is gone. */
  forget(incarnation: number): void {
    this.#siblings.delete(incarnation);
    this.#barriers.passAll(incarnation);
    this.#wakeMet();
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
  async barrier(): Promise<void> {
    const { number, passed } = this.#barriers.raise([...this.#siblings.keys()]);
    this.#tellAll({ kind: "barrier", number });
    await passed;
  }

  announceProgress(positions: readonly StreamPositionEntry[]): void {
    if (positions.length > 0) this.#tellAll({ kind: "progress", positions });
  }

  announceMissed(key: string, gap: Gap): void {
    this.#tellAll({ kind: "missed", key, gap });
  }

  announceReset(key: string, epoch: number): void {
    this.#tellAll({ kind: "reset", key, epoch });
  }

  /** Our last word on streams that another worker reads next. @returns whom it was said to. */
  handOver(move: number, positions: readonly StreamPositionEntry[]): number[] {
    this.#tellAll({ kind: "handover", move, positions });
    return [...this.#siblings.keys()];
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const { link } of this.#siblings.values()) link.close();
  }

  #tellAll(message: RelayMessage): void {
    const frame = frameMessage(message);
    for (const { link } of this.#siblings.values()) void link.send(frame);
  }

  #sibling(peer: Peer): Sibling | undefined {
    const { incarnation, socketPath } = peer;
    const known = this.#siblings.get(incarnation);
    if (known !== undefined || this.#gone.has(incarnation)) return known;
    const link: RelayLink = new RelayLink({
      socketPath,
      greeting: () => this.#greeting(),
      onConnected: () => {
        void link.send(frameMessage({ kind: "progress", positions: this.#options.ownPositions() }));
      },
      onLost: () => this.#lost(incarnation),
    });
    const sibling = { link, tenants: new Set<string>(), msgpackTenants: new Set<string>(), met: false };
    this.#siblings.set(incarnation, sibling);
    return sibling;
  }

  #greeting(): Uint8Array[] {
    const { self, ownInterest } = this.#options;
    return [
      frameMessage({ kind: "hello", ...self }),
      frameMessage({ kind: "interest", add: ownInterest(), remove: [] }),
    ];
  }

  #lost(incarnation: number): void {
    setTimeout(() => {
      if (!this.#gone.has(incarnation)) this.#options.onLost(incarnation);
    }, LOST_AFTER_MS).unref();
  }

  /** What a connection brings counts once its speaker has said who it is, and is not known to be gone. */
  #receive(socket: Socket): void {
    let speaker: number | null = null;
    const reader = new RelayReader({
      batch: (bytes) => {
        if (speaker !== null) this.#options.onBatch(decodeBatch(bytes));
      },
      message: (message) => {
        if (message.kind === "hello") speaker = this.#welcome(socket, message);
        else if (speaker !== null) this.#hear(speaker, message);
      },
    });
    this.#sockets.add(socket);
    socket.on("data", (chunk) => reader.push(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (speaker !== null && this.#inbound.get(speaker) === socket) this.#inbound.delete(speaker);
    });
  }

  /** A sibling may greet us before we were told of it, or after it died: then null is returned. */
  #welcome(socket: Socket, peer: Peer): number | null {
    const sibling = this.#sibling(peer);
    if (sibling === undefined) {
      socket.destroy();
      return null;
    }
    this.#inbound.set(peer.incarnation, socket);
    void sibling.link.send(frameMessage({ kind: "welcome" }));
    return peer.incarnation;
  }

  #hear(speaker: number, message: Exclude<RelayMessage, { kind: "hello" }>): void {
    switch (message.kind) {
      case "welcome":
        this.#met(speaker);
        return;
      case "interest":
        this.#noteInterest(speaker, message.add, message.remove);
        return;
      case "barrier":
        void this.#answerBarrier(speaker, message.number);
        return;
      case "passed":
        this.#options.onPositions(message.positions);
        this.#barriers.pass(message.number, speaker);
        return;
      case "progress":
        this.#options.onPositions(message.positions);
        return;
      case "missed":
        this.#options.onMissed(message.key, message.gap);
        return;
      case "reset":
        this.#options.onReset(message.key, message.epoch);
        return;
      case "handover":
        this.#options.onHandover(message.move, message.positions);
        return;
    }
  }

  /** The greeting of the one who welcomes us came before, on the same connection, and with it its interest. */
  #met(speaker: number): void {
    const sibling = this.#siblings.get(speaker);
    if (sibling === undefined) return;
    sibling.met = true;
    this.#wakeMet();
  }

  #wakeMet(): void {
    const waiting = this.#onMet;
    this.#onMet = [];
    for (const wake of waiting) wake();
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
  }

  async #answerBarrier(speaker: number, number: number): Promise<void> {
    const { settled, ownPositions } = this.#options;
    await settled();
    const answer: RelayMessage = { kind: "passed", number, positions: ownPositions() };
    await this.#siblings.get(speaker)?.link.send(frameMessage(answer));
  }
}

/** The records a sibling has subscribers for; sections without any are left out. */
function shareOf(sections: readonly BatchSection[], tenants: ReadonlySet<string>): BatchSection[] {
  if (tenants.size === 0) return [];
  return sections
    .map((section) => ({ ...section, records: section.records.filter(({ tenant }) => tenants.has(tenant)) }))
    .filter(({ records }) => records.length > 0);
}
