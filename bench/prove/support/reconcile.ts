/** What one client got, in the order it came. */
export type Item =
  /** Event number `n` of one of a tenant's streams. */
  | { readonly kind: "event"; readonly tenant: number; readonly stream: number; readonly n: number }
  | { readonly kind: "gap"; readonly topic: string; readonly reason: string };

export interface PublishedEvent {
  /** The entry id Redis answered; null: nobody knows whether it was added. */
  readonly id: string | null;
  /** Redis has it no more. */
  readonly isGone: boolean;
}

/** What was published in one stream for one tenant. */
export interface PublishedStream {
  readonly topic: string;
  /** By number, in the order they were sent. */
  readonly events: readonly PublishedEvent[];
}

/** What a client is to get: of these streams everything, and nothing else. */
export interface Owed {
  readonly tenant: number;
  /** By number; null: not delivered on the client's path. */
  readonly streams: readonly (PublishedStream | null)[];
  /** Reasons for which a gap is to be expected of a topic. */
  readonly mayMiss: (topic: string, reason: string) => boolean;
}

export interface Verdict {
  readonly deliveries: number;
  /** Gaps that were to be expected. */
  readonly gaps: number;
  /** Events that Redis has no more, that did not come, and of which a gap says so. */
  readonly explained: number;
  /** Events that did not come although Redis has them, or without a gap. */
  readonly lost: number;
  readonly repeated: number;
  readonly outOfOrder: number;
  /** Another tenant's events, events of streams the path does not have or that nobody published, gaps without a cause. */
  readonly foreign: number;
  /** The first few, in words. */
  readonly examples: readonly string[];
}

/** After these, delivery may go back and goes on with the earliest event there is. */
const STARTS_OVER = new Set(["reset", "trimmed"]);
const EXAMPLES_KEPT = 5;

interface Progress {
  /** By number: where in the record the event came first; undefined: it did not. */
  readonly firstAt: (number | undefined)[];
  /** The number that came last since delivery last started over. */
  last: number;
}

/** Compares what a client got with what it was owed, event by event. */
export function reconcile(items: Iterable<Item>, owed: Owed): Verdict {
  const count = { deliveries: 0, gaps: 0, explained: 0, lost: 0, repeated: 0, outOfOrder: 0, foreign: 0 };
  const examples: string[] = [];
  const progress = owed.streams.map((): Progress => ({ firstAt: [], last: -1 }));
  /** By topic: where in the record its gaps stand, in order. */
  const gapsAt = new Map<string, number[]>();

  const note = (text: string) => {
    if (examples.length < EXAMPLES_KEPT) examples.push(text);
  };
  const find = (what: "repeated" | "outOfOrder" | "foreign", text: string) => {
    count[what]++;
    note(text);
  };

  let at = 0;
  for (const item of items) {
    at++;
    if (item.kind === "gap") takeGap(item.topic, item.reason);
    else takeEvent(item.tenant, item.stream, item.n);
  }
  for (const [stream, published] of owed.streams.entries()) if (published !== null) findMissing(stream, published);
  return { ...count, examples };

  function takeGap(topic: string, reason: string): void {
    if (!owed.mayMiss(topic, reason)) {
      find("foreign", `a gap ${reason} of ${topic} for which there is no cause`);
      return;
    }
    count.gaps++;
    gapsAt.set(topic, [...(gapsAt.get(topic) ?? []), at]);
    if (!STARTS_OVER.has(reason)) return;
    for (const [stream, published] of owed.streams.entries()) {
      if (published?.topic === topic) progress[stream]!.last = -1;
    }
  }

  function takeEvent(tenant: number, stream: number, n: number): void {
    count.deliveries++;
    const published = owed.streams[stream] ?? null;
    const name = `event ${n} of stream ${stream}`;
    if (tenant !== owed.tenant) find("foreign", `${name} of tenant ${tenant}, who is another`);
    else if (published === null) find("foreign", `${name}, which this path does not deliver`);
    else if (n >= published.events.length) find("foreign", `${name}, which nobody published`);
    else takeOwn(progress[stream]!, n, `${name} (${published.topic} ${published.events[n]!.id})`);
  }

  function takeOwn(of: Progress, n: number, name: string): void {
    const { firstAt, last } = of;
    const isNew = firstAt[n] === undefined;
    firstAt[n] ??= at;
    if (n > last) of.last = n;
    else if (isNew) find("outOfOrder", `${name} came after ${last}`);
    else find("repeated", `${name} came again, after ${last}`);
  }

  /** A gap explains what is missing between two neighbours if it stands between them, and if Redis has it no more. */
  function findMissing(stream: number, { topic, events }: PublishedStream): void {
    const { firstAt } = progress[stream]!;
    let before = 0;
    for (let n = 0; n < events.length; ) {
      const came = firstAt[n];
      if (came !== undefined) {
        before = came;
        n++;
        continue;
      }
      let end = n;
      while (end < events.length && firstAt[end] === undefined) end++;
      const after = firstAt[end] ?? Number.POSITIVE_INFINITY;
      const hasGap = (gapsAt.get(topic) ?? []).some((gap) => gap > before && gap < after);
      const missing = events.slice(n, end).filter(({ id }) => id !== null);
      const lost = missing.filter(({ isGone }) => !(hasGap && isGone));
      count.explained += missing.length - lost.length;
      count.lost += lost.length;
      if (lost.length > 0) {
        const where = `between events ${n - 1} and ${end} of stream ${stream} (${topic})`;
        const why = hasGap ? "after a gap, but Redis has them" : "without a gap";
        note(`${lost.length} did not come ${where}, ${why}, the first of them ${lost[0]!.id}`);
      }
      n = end;
    }
  }
}
