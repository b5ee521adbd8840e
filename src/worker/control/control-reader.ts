import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../observe/log.js";
import { compareEntryIds, type EntryId, ZERO_ID } from "../../protocol/entry-id.js";
import { RefusalError } from "../../protocol/errors.js";
import type { RawEntry } from "../../protocol/event.js";
import { parseRevocation, type Revocation } from "../../protocol/revocation.js";
import { type RedisClient, retryDelay, whenReady } from "../../redis/connect.js";
import { readControl, removeControl } from "../../redis/control-stream.js";
import { CONTROL_KEY } from "../../redis/keys.js";
import { streamState } from "../../redis/streams.js";

export interface ControlReaderOptions {
  readonly client: RedisClient;
  readonly onRevoked: (revocations: readonly Revocation[]) => void;
  /** Unix time in milliseconds. */
  readonly now: () => number;
  readonly log: Log;
}

/** Milliseconds between two reads: what is revoked has to be gone within a second. */
const POLL_MS = 200;
/** Entries of one read. */
const PAGE = 1_000;
/** Milliseconds after which it is looked whether the stream went back, as after a failover. */
const LOOK_BACK_MS = 10_000;
/** Milliseconds after which the stream is read from its start again, and what is over is removed from it. */
const REREAD_MS = 3_600_000;
/** Seconds an entry stays in the stream after it has run out, for gateways whose clocks are behind. */
const KEPT_SECONDS = 600;
/** Milliseconds a client waits for the first reading of the stream. */
const FIRST_READ_WITHIN_MS = 5_000;

/** Follows the control stream from its start. Polls, because one small command on a shared connection needs no watching over. */
export class ControlReader {
  readonly #options: ControlReaderOptions;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #position: EntryId = ZERO_ID;
  #rereadAt = 0;
  #hasCaughtUp = false;
  #reading = false;
  #onCaughtUp: () => void = () => {};
  readonly #caughtUp = new Promise<void>((resolve) => {
    this.#onCaughtUp = resolve;
  });

  constructor(options: ControlReaderOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Whether the last attempt to read got an answer. */
  get isReading(): boolean {
    return this.#reading;
  }

  /**
   * Resolves once everything that was revoked before the start is known: nobody is to be let in earlier.
   * @throws RefusalError `unavailable` when that takes too long.
   */
  async whenCaughtUp(): Promise<void> {
    if (this.#hasCaughtUp) return;
    const waiting = new AbortController();
    const tooLate = delay(FIRST_READ_WITHIN_MS, false, { signal: waiting.signal }).catch(() => false);
    const inTime = await Promise.race([this.#caughtUp.then(() => true), tooLate]);
    waiting.abort();
    if (!inTime) throw new RefusalError("unavailable");
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { client, log } = this.#options;
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await whenReady(client, signal);
        await this.#lookBack();
        await this.#follow(performance.now() + LOOK_BACK_MS);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (failures === 0) log.warn({ err: error }, "reading the control stream was interrupted");
        this.#reading = false;
        await delay(retryDelay(failures++), undefined, { signal }).catch(() => {});
      }
    }
  }

  async #lookBack(): Promise<void> {
    const state = await streamState(this.#options.client, CONTROL_KEY);
    const wentBack = compareEntryIds(state?.lastId ?? ZERO_ID, this.#position) < 0;
    if (!wentBack && performance.now() < this.#rereadAt) return;
    this.#position = ZERO_ID;
    this.#rereadAt = performance.now() + REREAD_MS;
  }

  async #follow(deadline: number): Promise<void> {
    const { client } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted && performance.now() < deadline) {
      const entries = await readControl(client, this.#position, PAGE);
      await this.#take(entries);
      if (entries.length === PAGE) continue;
      this.#reading = true;
      this.#hasCaughtUp = true;
      this.#onCaughtUp();
      await delay(POLL_MS, undefined, { signal });
    }
  }

  async #take(entries: readonly RawEntry[]): Promise<void> {
    const { client, onRevoked, now, log } = this.#options;
    const second = now() / 1000;
    const inEffect: Revocation[] = [];
    const over: EntryId[] = [];
    for (const { id, fields } of entries) {
      const revocation = parseRevocation(fields ?? []);
      if (revocation === null) log.warn({ id }, "an entry of the control stream is not understood, and passed over");
      else if (revocation.until > second) inEffect.push(revocation);
      else if (revocation.until + KEPT_SECONDS < second) over.push(id);
    }
    if (inEffect.length > 0) onRevoked(inEffect);
    this.#position = entries.at(-1)?.id ?? this.#position;
    if (over.length > 0) await removeControl(client, over);
  }
}
