import type { QuotaLimits } from "../protocol/control.js";

interface Tenant {
  connections: number;
  readonly byUser: Map<string, number>;
}

/** How many places each tenant and user has taken, over all workers: exact, because all of them ask here. */
export class Quotas {
  readonly #tenants = new Map<string, Tenant>();
  /** By worker, what has to be given back when it dies. */
  readonly #held = new Map<number, Map<string, { tenant: string; user: string; places: number }>>();

  /** @returns false when the tenant or the user has all its places taken. */
  take(worker: number, tenant: string, user: string, { perTenant, perUser }: QuotaLimits): boolean {
    const counts = this.#tenants.get(tenant) ?? { connections: 0, byUser: new Map() };
    const ofUser = counts.byUser.get(user) ?? 0;
    if (perTenant > 0 && counts.connections >= perTenant) return false;
    if (perUser > 0 && ofUser >= perUser) return false;
    counts.connections++;
    counts.byUser.set(user, ofUser + 1);
    this.#tenants.set(tenant, counts);
    this.#note(worker, tenant, user, 1);
    return true;
  }

  giveBack(worker: number, tenant: string, user: string): void {
    this.#note(worker, tenant, user, -1);
    this.#subtract(tenant, user, 1);
  }

  /** The worker is gone, and all its connections. */
  forget(worker: number): void {
    for (const { tenant, user, places } of this.#held.get(worker)?.values() ?? []) this.#subtract(tenant, user, places);
    this.#held.delete(worker);
  }

  #subtract(tenant: string, user: string, places: number): void {
    const counts = this.#tenants.get(tenant);
    if (counts === undefined) return;
    counts.connections -= places;
    const ofUser = (counts.byUser.get(user) ?? 0) - places;
    if (ofUser > 0) counts.byUser.set(user, ofUser);
    else counts.byUser.delete(user);
    if (counts.connections <= 0) this.#tenants.delete(tenant);
  }

  #note(worker: number, tenant: string, user: string, change: number): void {
    const held = this.#held.get(worker) ?? new Map<string, { tenant: string; user: string; places: number }>();
    this.#held.set(worker, held);
    const key = JSON.stringify([tenant, user]);
    const places = (held.get(key)?.places ?? 0) + change;
    if (places > 0) held.set(key, { tenant, user, places });
    else held.delete(key);
  }
}
