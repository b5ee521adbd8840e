import type { Revocable, Revocation } from "../../protocol/revocation.js";

/** What has been revoked and is still in effect. Of the same target, the revocation that holds longest counts. */
export class Revocations {
  /** By tenant, then by user and token; the value is Unix seconds. */
  readonly #untils = new Map<string, Map<string, number>>();
  readonly #now: () => number;

  /** @param now Unix time in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  add({ tenant, user, tokenId, until }: Revocation): void {
    if (!this.#isAhead(until)) return;
    const targets = this.#untils.get(tenant) ?? new Map<string, number>();
    this.#untils.set(tenant, targets);
    const target = targetKey(user, tokenId);
    targets.set(target, Math.max(until, targets.get(target) ?? 0));
  }

  covers({ tenant, user, tokenId }: Revocable): boolean {
    const targets = this.#untils.get(tenant);
    if (targets === undefined) return false;
    const holds = (target: string) => this.#isAhead(targets.get(target) ?? 0);
    if (holds(targetKey(undefined, undefined)) || holds(targetKey(user, undefined))) return true;
    return tokenId !== undefined && (holds(targetKey(undefined, tokenId)) || holds(targetKey(user, tokenId)));
  }

  /** Forgets what is over. To be called now and then. */
  sweep(): void {
    for (const [tenant, targets] of this.#untils) {
      for (const [target, until] of targets) if (!this.#isAhead(until)) targets.delete(target);
      if (targets.size === 0) this.#untils.delete(tenant);
    }
  }

  /** Targets kept. */
  get size(): number {
    let size = 0;
    for (const targets of this.#untils.values()) size += targets.size;
    return size;
  }

  #isAhead(until: number): boolean {
    return until * 1000 > this.#now();
  }
}

/** As JSON, so that no two pairs of names share one. */
function targetKey(user: string | undefined, tokenId: string | undefined): string {
  return JSON.stringify([user, tokenId]);
}
