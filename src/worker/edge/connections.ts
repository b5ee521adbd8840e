import type { Settings } from "../../config.js";
import type { TransportCounts, WorkerStatistics } from "../../protocol/control.js";
import type { EdgeConnection } from "./services.js";
import { type Backlogged, Stalls } from "./stalls.js";
import { TokenBucket } from "./token-bucket.js";

export interface TrackedConnection extends EdgeConnection, Backlogged {
  readonly transport: "sse" | "websocket";
  /** Has taken everything it was sent. */
  readonly isHealthy: boolean;
  /** Unix time in seconds. */
  readonly expiresAt: number;
  /** `jti` of its token. */
  readonly tokenId: string | undefined;
  /** Ends the TCP connection at once. */
  cut(): void;
}

/** Tenants for which cleaned connections are remembered. */
const MOST_TENANTS_COUNTED = 10_000;

/** Everyone connected to this worker, within its limits. */
export class Connections {
  readonly #settings: Settings;
  readonly #all = new Set<TrackedConnection>();
  readonly #byExpiry = new Map<number, Set<TrackedConnection>>();
  readonly #staleCleaned = { sse: new Map<string, number>(), websocket: new Map<string, number>() };
  readonly #arrivals: TokenBucket;
  readonly #stalls: Stalls<TrackedConnection>;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#arrivals = new TokenBucket(settings.connectRate, performance.now());
    this.#stalls = new Stalls(settings.stallSeconds, (connection) => {
      this.#countStale(connection);
      connection.cut();
    });
  }

  /** Whether one more connection would be too many, or too soon. To be asked once for each that comes. */
  isOverloaded(): boolean {
    const full = this.#all.size >= this.#settings.maxConnections;
    return full || !this.#arrivals.take(performance.now());
  }

  add(connection: TrackedConnection): void {
    this.#all.add(connection);
    this.#expiryGroup(connection).add(connection);
  }

  remove(connection: TrackedConnection): void {
    this.#all.delete(connection);
    const group = this.#expiryGroup(connection);
    group.delete(connection);
    if (group.size === 0) this.#byExpiry.delete(this.#expirySecond(connection));
  }

  /** Moves a connection whose token was refreshed to its new end. */
  extend(connection: TrackedConnection, setExpiry: () => void): void {
    this.remove(connection);
    setExpiry();
    this.add(connection);
  }

  /** The gateway found it silent, and closed it. */
  timedOut(connection: TrackedConnection): void {
    this.#countStale(connection);
  }

  /** Something of this connection is unsent: from now on it has to take some of it now and then. */
  watchBacklog(connection: TrackedConnection): void {
    this.#stalls.watch(connection, performance.now() / 1000);
  }

  /** Cuts connections that have taken nothing for too long. To be called every few seconds. */
  cutStalled(): void {
    this.#stalls.check(performance.now() / 1000);
  }

  #countStale({ transport, tenant }: TrackedConnection): void {
    const counts = this.#staleCleaned[transport];
    if (counts.has(tenant) || counts.size < MOST_TENANTS_COUNTED) counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
  }

  /** Ends connections whose token is no longer good. @param second Unix time in whole seconds. */
  expire(second: number): void {
    const due = [...this.#byExpiry].filter(([expiry]) => expiry <= second);
    for (const connection of due.flatMap(([, group]) => [...group])) connection.end("token_expired");
  }

  /** Ends every connection of which access was revoked. @returns how many. */
  endRevoked(isRevoked: (connection: TrackedConnection) => boolean): number {
    const revoked = [...this.#all].filter(isRevoked);
    for (const connection of revoked) connection.end("revoked");
    return revoked.length;
  }

  all(): ReadonlySet<TrackedConnection> {
    return this.#all;
  }

  totals(): { sse: number; websocket: number } {
    let sse = 0;
    for (const { transport } of this.#all) if (transport === "sse") sse++;
    return { sse, websocket: this.#all.size - sse };
  }

  statistics(): WorkerStatistics {
    return { sse: this.#count("sse"), websocket: this.#count("websocket") };
  }

  #count(transport: "sse" | "websocket"): TransportCounts {
    const byTenant = new Map<string, Map<string, [connections: number, healthy: number]>>();
    for (const connection of this.#all) {
      if (connection.transport !== transport) continue;
      const { tenant, user, isHealthy } = connection;
      const users = byTenant.get(tenant) ?? new Map<string, [number, number]>();
      byTenant.set(tenant, users);
      const [connections, healthy] = users.get(user) ?? [0, 0];
      users.set(user, [connections + 1, healthy + (isHealthy ? 1 : 0)]);
    }
    const byUser = [...byTenant].flatMap(([tenant, users]) =>
      [...users].map(([user, [connections, healthy]]) => [tenant, user, connections, healthy] as const),
    );
    return { byUser, staleCleaned: [...this.#staleCleaned[transport]] };
  }

  #expiryGroup(connection: TrackedConnection): Set<TrackedConnection> {
    const second = this.#expirySecond(connection);
    let group = this.#byExpiry.get(second);
    if (group === undefined) {
      group = new Set();
      this.#byExpiry.set(second, group);
    }
    return group;
  }

  /** Whole seconds, so that connections share their timer. */
  #expirySecond({ expiresAt }: TrackedConnection): number {
    return Math.ceil(expiresAt + this.#settings.jwt.clockToleranceSeconds);
  }
}
