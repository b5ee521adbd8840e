import { setTimeout as delay } from "node:timers/promises";
import type { Test } from "tap";
import { type Endpoint, type Follower, follow, type Item } from "./follow.ts";
import type { Gateway } from "./gateway.ts";
import { until } from "./until.ts";

const COME_BACK_AFTER_MS = 100;

/**
 * A client that never gives up: whenever its connection ends, however it does, it comes back with the last id it was
 * given.
 */
export class PerseveringClient {
  readonly tenant: string;
  readonly endpoint: Endpoint;
  /** Events and gaps, in the order they came. */
  readonly items: Item[] = [];
  /** Why connections ended or were refused, for whoever looks into a failure. */
  readonly ends: string[] = [];
  #position: string | undefined;
  #connection: Follower | null = null;
  #stopped = false;

  constructor(t: Test, gateway: Gateway, endpoint: Endpoint, tenant: string) {
    this.tenant = tenant;
    this.endpoint = endpoint;
    t.teardown(() => this.stop());
    void this.#persevere(t, gateway);
  }

  /** Has been connected once: from then on it is owed every event. */
  get hasStarted(): boolean {
    return this.#position !== undefined;
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.#connection?.cut();
  }

  stop(): void {
    this.#stopped = true;
    this.cut();
  }

  async #persevere(t: Test, gateway: Gateway): Promise<void> {
    const token = gateway.token({ tenant: this.tenant });
    while (!this.#stopped) {
      const lastEventId = this.#position;
      try {
        const options = { token, ...(lastEventId !== undefined && { lastEventId }) };
        this.#connection = await follow(t, gateway, this.endpoint, options);
        this.#position ??= this.#connection.connected.id;
        await this.#read(this.#connection);
      } catch (error) {
        this.ends.push((error as Error).message.split("\n")[0]!);
      }
      this.#connection?.cut();
      this.#connection = null;
      await delay(COME_BACK_AFTER_MS);
    }
  }

  async #read(connection: Follower): Promise<never> {
    while (true) {
      const item = await connection.next(FOREVER_MS);
      this.#position = item.id ?? this.#position;
      if (item.kind !== "control") this.items.push(item);
    }
  }
}

const FOREVER_MS = 3_600_000;

const ENDPOINTS: readonly Endpoint[] = ["/stream", "/ws"];

/** Clients of these tenants on both kinds of endpoint, all of them connected. */
export async function startClients(
  t: Test,
  gateway: Gateway,
  tenants: readonly string[],
  count: number,
): Promise<PerseveringClient[]> {
  const clients = Array.from({ length: count }, (_, i) => {
    return new PerseveringClient(t, gateway, ENDPOINTS[i % 2]!, tenants[Math.floor(i / 2) % tenants.length]!);
  });
  await until("every client to be connected", () => clients.every(({ hasStarted }) => hasStarted));
  return clients;
}
