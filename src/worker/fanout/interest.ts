import type { InterestEntry } from "../../protocol/relay.js";

export interface InterestOptions {
  /** Tells the siblings which tenants have subscribers here from now on, and which no longer. */
  readonly declare: (add: readonly InterestEntry[], remove: readonly string[]) => void;
  /** Resolves once every owner of a stream acts on what was declared before. */
  readonly barrier: () => Promise<void>;
  /** Unix time in milliseconds. */
  readonly now: () => number;
}

interface TenantInterest {
  subscribers: number;
  msgpack: boolean;
  /** Every owner has heard of it. */
  heard: Promise<void>;
  /** When the last subscriber left. */
  idleSince: number;
}

/** A tenant is kept this long after its last subscriber, so that one who reconnects finds everything in place. */
const LINGER_MS = 10_000;

/** The tenants with subscribers on this worker, and the owners of streams informed of them. */
export class Interest {
  readonly #options: InterestOptions;
  readonly #tenants = new Map<string, TenantInterest>();
  #msgpackTenants = 0;
  #announcing: { add: InterestEntry[]; heard: Promise<void> } | null = null;

  constructor(options: InterestOptions) {
    this.#options = options;
  }

  has(tenant: string): boolean {
    return this.#tenants.has(tenant);
  }

  takesMsgpack(): boolean {
    return this.#msgpackTenants > 0;
  }

  entries(): InterestEntry[] {
    return [...this.#tenants].map(([tenant, { msgpack }]): InterestEntry => [tenant, msgpack]);
  }

  /** Resolves once every event of the tenant comes to this worker. Must be undone by `release`. */
  acquire(tenant: string, msgpack: boolean): Promise<void> {
    let interest = this.#tenants.get(tenant);
    if (interest === undefined || (msgpack && !interest.msgpack)) {
      interest ??= { subscribers: 0, msgpack: false, heard: Promise.resolve(), idleSince: 0 };
      if (msgpack) this.#msgpackTenants++;
      interest.msgpack ||= msgpack;
      this.#tenants.set(tenant, interest);
      interest.heard = this.#announce([tenant, interest.msgpack]);
    }
    interest.subscribers++;
    return interest.heard;
  }

  release(tenant: string): void {
    const interest = this.#tenants.get(tenant)!;
    interest.subscribers--;
    if (interest.subscribers === 0) interest.idleSince = this.#options.now();
  }

  /** Gives up tenants that have had no subscriber for a while. To be called every few seconds. */
  sweep(): void {
    const before = this.#options.now() - LINGER_MS;
    const gone = [...this.#tenants].filter(
      ([, { subscribers, idleSince }]) => subscribers === 0 && idleSince <= before,
    );
    if (gone.length === 0) return;
    for (const [tenant, { msgpack }] of gone) {
      this.#tenants.delete(tenant);
      if (msgpack) this.#msgpackTenants--;
    }
    this.#options.declare(
      [],
      gone.map(([tenant]) => tenant),
    );
  }

  /** All that comes up in one turn of the event loop goes out as one message with one barrier. */
  #announce(entry: InterestEntry): Promise<void> {
    if (this.#announcing === null) {
      const add: InterestEntry[] = [];
      const { declare, barrier } = this.#options;
      const heard = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        this.#announcing = null;
        declare(add, []);
        return barrier();
      });
      this.#announcing = { add, heard };
    }
    this.#announcing.add.push(entry);
    return this.#announcing.heard;
  }
}
