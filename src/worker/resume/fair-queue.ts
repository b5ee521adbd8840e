/** Items of many tenants: each tenant's in their order, the tenants in turn, however many items one of them has. */
export class FairQueue<T> {
  readonly #byTenant = new Map<string, Line<T>>();

  add(tenant: string, item: T): void {
    const line = this.#byTenant.get(tenant);
    if (line === undefined) this.#byTenant.set(tenant, { items: [item], first: 0 });
    else line.items.push(item);
  }

  /** Takes the next item, of the tenant that has waited longest for its turn among those that may have one. */
  take(mayHave: (tenant: string) => boolean = () => true): T | undefined {
    for (const [tenant, line] of this.#byTenant) {
      if (!mayHave(tenant)) continue;
      const item = line.items[line.first]!;
      this.#byTenant.delete(tenant);
      const rest = withoutFirst(line);
      if (rest !== null) this.#byTenant.set(tenant, rest);
      return item;
    }
    return undefined;
  }
}

interface Line<T> {
  items: T[];
  /** Those before it were taken and wait to be cut off. */
  first: number;
}

/** Cut off together, so that each costs little. */
const MANY = 64;

function withoutFirst<T>({ items, first }: Line<T>): Line<T> | null {
  const next = first + 1;
  if (next === items.length) return null;
  return next > MANY && next * 2 > items.length ? { items: items.slice(next), first: 0 } : { items, first: next };
}
