import type { Cursor } from "../../protocol/cursor.js";
import { compareEntryIds } from "../../protocol/entry-id.js";
import { FrameBlock } from "../fanout/frame.js";
import { Backlog, type Source } from "./backlog.js";
import type { Connection } from "./connection.js";
import { ReplayLimit, type ReplayLimitOptions } from "./replay-limit.js";
import type { Block, SharedBlocks } from "./shared-blocks.js";

export interface ReturningOptions extends ReplayLimitOptions {
  readonly blocks: SharedBlocks;
}

/** Bytes sent in one turn. */
const MOST_BYTES = 256 * 1024;
/** What a block costs besides, in bytes sent. */
const BLOCK_COST = 4 * 1024;
/** Events looked at for one block, most of which may be of no concern. */
const MOST_SCANNED = 1_000;

/** Used by one turn at a time. */
const composed = new FrameBlock();

/**
 * One connection on its way from its cursor to the present. It keeps nothing but where it stands, so a slow client costs
 * no memory while it takes what it was sent.
 */
export class Returning {
  readonly #connection: Connection;
  readonly #options: ReturningOptions;
  readonly #backlog: Backlog;
  /** Streams that Redis has confirmed to reach further than this worker has come. */
  readonly #confirmed = new Set<number>();

  /** @param cursor null: not one of ours. */
  constructor(connection: Connection, cursor: Cursor | null, options: ReturningOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#backlog = new Backlog(connection, cursor, options);
  }

  cursor(): string {
    return this.#backlog.standing.cursor();
  }

  /**
   * Where more than `limit` events would follow, only the newest will, after a gap. To be called before `run`.
   * @throws Error when Redis fails.
   */
  limitTo(limit: number): Promise<void> {
    return new ReplayLimit(this.#backlog, this.#options).apply(limit);
  }

  /**
   * Sends everything there is after where the connection stands. Calls `join` in the very turn in which nothing is left
   * and this worker stands where the connection does, so that no event can come between; never when the connection
   * closes first.
   * @throws Error when Redis fails.
   */
  async run(join: () => void): Promise<void> {
    const { turns } = this.#options;
    while (!(await turns.run(this.#connection.tenant, () => this.#step(join))));
  }

  /** @returns whether nothing is left to do; later, where something has to happen first. */
  #step(join: () => void): boolean | Promise<boolean> {
    const [connection, backlog] = [this.#connection, this.#backlog];
    backlog.noticeResets();
    for (let spent = 0; spent < MOST_BYTES; ) {
      if (connection.isClosed) return true;
      if (connection.room === 0) return this.#awaitRoom();
      for (const gap of backlog.gaps.splice(0)) connection.sendGap(gap);
      const index = backlog.nextBehind();
      if (index === undefined) {
        if (backlog.ahead().length > 0) return this.#awaitWorker();
        join();
        return true;
      }
      const source = backlog.sourceOf(index);
      if (source === null) return backlog.read(index).then(() => false);
      spent += this.#sendFrom(index, source);
    }
    return false;
  }

  /** Sends as much as there is room for. @returns what it cost. */
  #sendFrom(index: number, source: Source): number {
    const { standing } = this.#backlog;
    const { epoch } = standing.get(index);
    const { frames, ends, upTo } = this.#blockFrom(index, source);
    standing.set(index, { id: upTo, epoch });
    if (ends.length > 0) this.#connection.sendFrames(frames, ends);
    return frames.length + BLOCK_COST;
  }

  #blockFrom(index: number, source: Source): Block {
    const { blocks } = this.#options;
    const { tenant, channel, format, filter, room } = this.#connection;
    const audience = `${encodeURIComponent(tenant)}/${channel.name}/${format}/${filter.key}`;
    const key = `${audience}/${this.cursor()}/${index}/${room}`;
    const known = blocks.get(key);
    if (known !== undefined) return known;
    const { block, isPersonal } = this.#compose(index, source);
    if (!isPersonal) blocks.add(key, block);
    return block;
  }

  /** The block is good only until the next one is composed. */
  #compose(index: number, { events, next, end, upTo }: Source): { block: Block; isPersonal: boolean } {
    const backlog = this.#backlog;
    const { room, format, channel } = this.#connection;
    const cursorOf = backlog.standing.eventCursors(index);
    const stop = Math.min(end, next + MOST_SCANNED);
    let isPersonal = false;
    composed.clear();
    let at = next;
    for (; at < stop && composed.length < room; at++) {
      const event = events.at(at)!;
      if (event.target !== "") isPersonal = true;
      if (backlog.wants(event)) composed.add(format, channel, event, cursorOf(event.id));
    }
    const { bytes: frames, ends } = composed;
    return { block: { frames, ends, upTo: at === end ? upTo : events.at(at - 1)!.id }, isPersonal };
  }

  async #awaitRoom(): Promise<boolean> {
    this.#backlog.letGo();
    await this.#connection.writable();
    return false;
  }

  /**
   * A client that comes from a faster worker has seen events that have yet to come here; but if Redis does not know them
   * either, the stream went back in time.
   */
  async #awaitWorker(): Promise<boolean> {
    const { ranges, positions } = this.#options;
    const backlog = this.#backlog;
    const unconfirmed = backlog.ahead().filter((index) => !this.#confirmed.has(index));
    if (unconfirmed.length === 0) {
      await positions.changed();
      return false;
    }
    const states = await Promise.all(unconfirmed.map((index) => ranges.stateOf(backlog.streams[index]!)));
    backlog.noticeResets();
    for (const [i, index] of unconfirmed.entries()) {
      const [state, { id }] = [states[i]!, backlog.standing.get(index)];
      if (state === null || compareEntryIds(state.lastId, id) < 0) backlog.findGap(index, state);
      else this.#confirmed.add(index);
    }
    return false;
  }
}
