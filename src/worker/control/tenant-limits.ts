import type { Log } from "../../observe/log.js";
import { RefusalError } from "../../protocol/errors.js";
import type { RedisClient } from "../../redis/connect.js";
import { LIMIT_FIELDS, readLimits, takePublishRate } from "../../redis/tenant-limits.js";

/** 0 = unlimited, each. */
export interface Limits {
  readonly maxConnections: number;
  readonly maxConnectionsPerUser: number;
  /** Events per second. */
  readonly publishRate: number;
}

export interface TenantLimitsOptions {
  readonly client: RedisClient;
  /** For tenants of which nothing else is said. */
  readonly defaults: Limits;
  readonly log: Log;
  /** Milliseconds on any steady clock. */
  readonly now: () => number;
}

interface Known {
  readonly limits: Limits;
  readonly readAt: number;
}

/** Milliseconds a tenant's limits are kept, and so until a change takes effect. */
const KEPT_MS = 1_000;
/** Tenants of which they are kept. */
const MOST_TENANTS = 10_000;

/** What each tenant may use: the settings, or what the hash of the tenant says instead. */
export class TenantLimits {
  readonly #options: TenantLimitsOptions;
  readonly #known = new Map<string, Known>();
  readonly #reading = new Map<string, Promise<Limits>>();

  constructor(options: TenantLimitsOptions) {
    this.#options = options;
  }

  /** While Redis is away, what was read last. */
  async of(tenant: string): Promise<Limits> {
    const known = this.#known.get(tenant);
    if (known !== undefined && this.#options.now() - known.readAt < KEPT_MS) return known.limits;
    let reading = this.#reading.get(tenant);
    if (reading === undefined) {
      reading = this.#read(tenant, known).finally(() => this.#reading.delete(tenant));
      this.#reading.set(tenant, reading);
    }
    return reading;
  }

  /** @throws RefusalError `rate_limited` when the tenant has published too much lately; `unavailable`. */
  async takePublishRate(tenant: string, events: number): Promise<void> {
    const { publishRate } = await this.of(tenant);
    if (publishRate === 0) return;
    const waitMs = await takePublishRate(this.#options.client, tenant, events, publishRate).catch(() => {
      throw new RefusalError("unavailable");
    });
    if (waitMs === 0) return;
    throw new RefusalError("rate_limited", "Too many events, wait", Math.ceil(waitMs / 1000));
  }

  async #read(tenant: string, known: Known | undefined): Promise<Limits> {
    const { client, defaults, log, now } = this.#options;
    try {
      const values = await readLimits(client, tenant);
      const limitAt = (index: number, initial: number) => {
        const limit = readLimit(values[index] ?? null, initial);
        if (limit !== null) return limit;
        log.warn({ tenant, field: LIMIT_FIELDS[index] }, "a tenant's limit is no whole number, and passed over");
        return initial;
      };
      const limits: Limits = {
        maxConnections: limitAt(0, defaults.maxConnections),
        maxConnectionsPerUser: limitAt(1, defaults.maxConnectionsPerUser),
        publishRate: limitAt(2, defaults.publishRate),
      };
      this.#keep(tenant, { limits, readAt: now() });
      return limits;
    } catch (error) {
      log.debug({ err: error, tenant }, "a tenant's limits could not be read");
      return known?.limits ?? defaults;
    }
  }

  #keep(tenant: string, known: Known): void {
    // Behind all others, so that those not read for longest leave first.
    this.#known.delete(tenant);
    this.#known.set(tenant, known);
    if (this.#known.size > MOST_TENANTS) this.#known.delete(this.#known.keys().next().value!);
  }
}

function readLimit(text: string | null, initial: number): number | null {
  if (text === null) return initial;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}
