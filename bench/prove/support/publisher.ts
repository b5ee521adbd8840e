import { setTimeout as delay } from "node:timers/promises";
import { packMessage } from "../../../src/protocol/msgpack.ts";
import { connectRedis, type RedisClient } from "../../../src/redis/connect.ts";
import { nowMicros } from "../../support/clock.ts";
import type { Mark } from "./messages.ts";
import type { Random } from "./random.ts";
import type { ProofStream, Tenant } from "./tenants.ts";

export interface PublisherOptions {
  readonly redisUrl: string;
  readonly gatewayPort: number;
  readonly tenants: readonly Tenant[];
  readonly random: Random;
  /** Events per second by XADD, of all tenants together. */
  readonly perSecond: number;
  /** Bytes every payload is longer than it has to be. */
  readonly padBytes: number;
}

const TICK_MS = 20;
/** While Redis answers to none of so many, no more are sent. */
const MOST_UNANSWERED = 2_000;
/** Milliseconds between two requests of a tenant. */
const PUBLISH_EVERY_MS = 150;
const PUBLISH_AGAIN_AFTER_MS = 200;
const ANSWER_WITHIN_MS = 15_000;

/** An event_id in the answer to POST /publish that was not 202. */
export interface PublishRefusal {
  readonly status: number;
  readonly code: string;
  readonly hasRetryAfter: boolean;
}

/**
 * Adds numbered events to every stream of every tenant, and remembers what Redis answered: the entry id, or that nobody
 * knows. By XADD in both forms; and by POST /publish with an `event_id`, repeated until it is accepted.
 */
export class Publisher {
  /** By tenant, stream and number: the entry id, or null. */
  readonly published: readonly (readonly (string | null)[][])[];
  readonly refusals: PublishRefusal[] = [];
  readonly #options: PublisherOptions;
  #redis: RedisClient;
  readonly #run = Math.random().toString(36).slice(2);
  readonly #pad: string;
  #perSecond: number;
  #unanswered = 0;
  #isPaused = true;
  #isStopped = false;
  #running: Promise<unknown> | null = null;
  #busy = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#perSecond = options.perSecond;
    this.#pad = "x".repeat(options.padBytes);
    this.published = options.tenants.map(({ streams }) => streams.map(() => []));
    this.#redis = connect(options.redisUrl);
  }

  /** Goes on, or starts. */
  resume(): void {
    this.#isPaused = false;
    this.#running ??= Promise.all([this.#addAll(), ...this.#options.tenants.map((tenant) => this.#publishAll(tenant))]);
  }

  /** Resolves once everything sent so far was answered, one way or the other. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    while (this.#unanswered > 0 || this.#busy > 0) await delay(TICK_MS);
  }

  /** From now on to another Redis. To be called while paused. */
  moveTo(redisUrl: string): void {
    this.#redis.disconnect();
    this.#redis = connect(redisUrl);
  }

  setRate(perSecond: number): void {
    this.#perSecond = perSecond;
  }

  /** Adds one more to every stream, which Redis has for certain. To be called while paused. @throws Error when it cannot. */
  async mark(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    const { tenants } = this.#options;
    const markOne = async (tenant: Tenant, stream: ProofStream, index: number) => {
      const ids = this.published[tenant.number]![index]!;
      for (;;) {
        await this.#addOne(tenant, stream, index);
        if (ids.at(-1) !== null) return;
        if (performance.now() > deadline) throw new Error("nothing can be published any more");
        await delay(TICK_MS);
      }
    };
    await Promise.all(
      tenants.flatMap((tenant) => tenant.streams.map((stream, index) => markOne(tenant, stream, index))),
    );
  }

  /** So many at once, as fast as Redis takes them, to every stream that is written by XADD. */
  async burst(each: number): Promise<void> {
    const adding = this.#options.tenants.flatMap((tenant) =>
      tenant.streams.flatMap((stream, index) =>
        stream.way === "xadd" ? Array.from({ length: each }, () => this.#add(tenant, stream, index)) : [],
      ),
    );
    await Promise.all(adding);
  }

  /** Numbers of the last events that Redis has for certain, by tenant and stream; -1: none. */
  last(): number[][] {
    return this.published.map((streams) => streams.map((ids) => ids.findLastIndex((id) => id !== null)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    this.#redis.disconnect();
  }

  async #addAll(): Promise<void> {
    const { tenants, random } = this.#options;
    let due = 0;
    for (let last = performance.now(); !this.#isStopped; await delay(TICK_MS)) {
      const now = performance.now();
      due += ((now - last) / 1e3) * this.#perSecond;
      last = now;
      const isHeldUp = this.#isPaused || this.#redis.status !== "ready" || this.#unanswered > MOST_UNANSWERED;
      if (isHeldUp) due = 0;
      for (; due >= 1; due--) {
        const tenant = random.pick(tenants);
        const index = random.below(tenant.streams.length);
        const stream = tenant.streams[index]!;
        if (stream.way === "xadd") void this.#add(tenant, stream, index);
      }
    }
  }

  async #publishAll(tenant: Tenant): Promise<void> {
    const { random } = this.#options;
    const index = tenant.streams.findIndex(({ way }) => way === "publish");
    for (; !this.#isStopped; await delay(random.between(0, 2 * PUBLISH_EVERY_MS))) {
      if (this.#isPaused) continue;
      this.#busy++;
      await this.#addOne(tenant, tenant.streams[index]!, index);
      this.#busy--;
    }
  }

  #addOne(tenant: Tenant, stream: ProofStream, index: number): Promise<void> {
    return stream.way === "xadd" ? this.#add(tenant, stream, index) : this.#publish(tenant, stream, index);
  }

  async #add(tenant: Tenant, stream: ProofStream, index: number): Promise<void> {
    const list = this.published[tenant.number]![index]!;
    const n = list.push(null) - 1;
    const values = { event_type: stream.eventType, tenant_id: tenant.name };
    const payload = this.#mark(tenant, index, n);
    const fields =
      n % 2 === 0
        ? [...Object.entries(values).flat(), "payload", JSON.stringify(payload)]
        : ["m", Buffer.from(packMessage({ ...values, payload }))];
    this.#unanswered++;
    list[n] = await this.#redis.xadd(stream.key, "*", ...fields).catch(() => null);
    this.#unanswered--;
  }

  /** Until it is accepted, or all is stopped. */
  async #publish(tenant: Tenant, stream: ProofStream, index: number): Promise<void> {
    const list = this.published[tenant.number]![index]!;
    const n = list.push(null) - 1;
    const body = JSON.stringify({
      topic: stream.topic,
      event_type: stream.eventType,
      event_id: `${this.#run}-${n}`,
      payload: this.#mark(tenant, index, n),
    });
    while (!this.#isStopped) {
      list[n] = await this.#post(tenant.publisherToken, body).catch(() => null);
      if (list[n] !== null) return;
      await delay(PUBLISH_AGAIN_AFTER_MS);
    }
  }

  /** @returns the entry id; null: refused. @throws Error when no answer came. */
  async #post(token: string, body: string): Promise<string | null> {
    const answer = await fetch(`http://127.0.0.1:${this.#options.gatewayPort}/publish`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    const said = (await answer.json()) as { ids?: string[]; error?: { code: string } };
    if (answer.status === 202) return said.ids![0]!;
    const hasRetryAfter = answer.headers.has("retry-after");
    this.refusals.push({ status: answer.status, code: said.error?.code ?? "", hasRetryAfter });
    return null;
  }

  #mark({ number }: Tenant, stream: number, n: number): Mark {
    return { tenant: number, stream, n, at: Math.floor(nowMicros()), pad: this.#pad };
  }
}

/** What was sent when the connection was lost is not sent again: nobody would know in which order it was added. */
function connect(redisUrl: string): RedisClient {
  return connectRedis({ mode: "standalone", urls: [redisUrl] }, { name: "prove", blocking: true, onError: () => {} });
}
