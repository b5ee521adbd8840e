import { channelTopics } from "../protocol/channel.js";
import { cursorBefore, decodeCursor } from "../protocol/cursor.js";
import { previousEntryId } from "../protocol/entry-id.js";
import { RefusalError } from "../protocol/errors.js";
import type { TypeFilter } from "../protocol/filter.js";
import { tenantStreams } from "../protocol/stream.js";
import type { Gap } from "../protocol/websocket.js";
import type { Connection } from "./catch-up/connection.js";
import { Returning, type ReturningOptions } from "./catch-up/returning.js";
import { startTimeout } from "./catch-up/timeout.js";
import type { Hub } from "./fanout/hub.js";
import type { Interest } from "./fanout/interest.js";

export interface ConnectPathOptions extends ReturningOptions {
  readonly hub: Hub;
  readonly interest: Interest;
  readonly resumeMaxEvents: number;
  /** Redis failed a connection that catches up. Resolves when it is time to go on. @param attempt from 0. */
  readonly retry: (connection: Connection, error: unknown, attempt: number) => Promise<void>;
}

/** Milliseconds a new connection waits for the owners of its streams. */
const PREPARE_TIMEOUT_MS = 5_000;

/** From a verified token to live events: the tenant's events are routed here, older ones replayed, then the hub joined. */
export class ConnectPath {
  readonly #options: ConnectPathOptions;
  readonly #live = new Set<Connection>();

  constructor(options: ConnectPathOptions) {
    this.#options = options;
  }

  /**
   * Makes sure that every event of the tenant comes to this worker. Must be undone by `release`.
   * @throws RefusalError `unavailable` when an owner does not answer in time.
   */
  async prepare(tenant: string, msgpack: boolean): Promise<void> {
    const { interest, positions, layout, history } = this.#options;
    const keys = tenantStreams(layout, layout.topics, tenant).map(({ key }) => key);
    const routed = async () => {
      await interest.acquire(tenant, msgpack);
      while (!positions.isKnown(keys)) await positions.changed();
      return true;
    };
    const deadline = startTimeout(PREPARE_TIMEOUT_MS);
    const inTime = await Promise.race([routed(), deadline.passed]);
    deadline.clear();
    if (inTime) return history.open(tenant, positions.snapshot(keys));
    interest.release(tenant);
    throw new RefusalError("unavailable");
  }

  release(tenant: string): void {
    this.#options.interest.release(tenant);
  }

  /**
   * Greets the connection before this returns; it is live once the promise resolves, unless it closed first.
   * @param lastEventId the cursor a returning client handed back.
   */
  async open(connection: Connection, lastEventId: string | null): Promise<void> {
    if (lastEventId !== null) {
      const returning = new Returning(connection, decodeCursor(lastEventId), this.#options);
      connection.greet(returning.cursor());
      return this.#catchUp(connection, returning, this.#options.resumeMaxEvents);
    }
    this.#join(connection);
    connection.greet(this.#options.hub.cursor(connection));
  }

  /**
   * A live connection that was not sent the frame of this cursor leaves the hub at once, and comes back when it has taken
   * everything from there on: to the hub a slow client is a returning one.
   */
  async fallBehind(connection: Connection, missedCursor: string): Promise<void> {
    if (!this.#live.has(connection)) return;
    this.close(connection);
    await this.#catchUp(
      connection,
      new Returning(connection, cursorBefore(decodeCursor(missedCursor)!), this.#options),
    );
  }

  /**
   * A stream was deleted, or went back in time: whoever reads it, live or catching up, is told so by a gap `reset`, and
   * gets it from its start, where this worker stands from now on.
   * @param epoch later than that of any earlier call; one that is known already changes nothing.
   */
  resetStream(key: string, epoch: number): void {
    const { positions, history, ranges, hub } = this.#options;
    if ((positions.get(key)?.epoch ?? 0) >= epoch) return;
    const readers = [...this.#live].filter((connection) => this.#reads(connection, key));
    const returning = readers.map((connection) => {
      const cursor = decodeCursor(hub.cursor(connection));
      return { connection, from: new Returning(connection, cursor, this.#options) };
    });
    for (const connection of readers) this.close(connection);
    positions.reset(key, epoch);
    history.forgetStream(key);
    ranges.forgetStream(key);
    positions.announce();
    for (const { connection, from } of returning) void this.#catchUp(connection, from);
  }

  /**
   * Entries of a stream were removed before they could be read: whoever reads it live is told, in its place. Who catches
   * up finds out from Redis, because memory does not reach beyond them any more.
   */
  announceMissed(key: string, gap: Gap): void {
    const { positions, history } = this.#options;
    for (const connection of this.#live) if (this.#reads(connection, key)) connection.sendGap(gap);
    if (gap.to === undefined) return;
    const before = previousEntryId(gap.to);
    history.forgetStream(key, before);
    positions.advance(key, before);
  }

  close(connection: Connection): void {
    if (this.#live.delete(connection)) this.#options.hub.leave(connection);
  }

  /** Takes effect between two events. */
  changeFilter(connection: Connection, filter: TypeFilter): void {
    const isLive = this.#live.has(connection);
    if (isLive) this.#options.hub.leave(connection);
    connection.filter = filter;
    if (isLive) this.#options.hub.join(connection);
  }

  #join(connection: Connection): void {
    this.#options.hub.join(connection);
    this.#live.add(connection);
  }

  /** @param limit most events replayed. */
  /**
   * However long Redis is away, the connection stays and goes on from where it stands.
   * @param limit most events replayed.
   */
  async #catchUp(connection: Connection, returning: Returning, limit = Number.POSITIVE_INFINITY): Promise<void> {
    const { history, retry } = this.#options;
    let isLimited = limit === Number.POSITIVE_INFINITY;
    history.catchUpStarts();
    for (let attempt = 0; !connection.isClosed; attempt++) {
      try {
        if (!isLimited) await returning.limitTo(limit);
        isLimited = true;
        await returning.run(() => this.#join(connection));
        break;
      } catch (error) {
        await retry(connection, error, attempt);
      }
    }
    history.catchUpEnds();
  }

  #reads({ tenant, channel }: Connection, key: string): boolean {
    const { layout } = this.#options;
    return tenantStreams(layout, channelTopics(channel, layout.topics), tenant).some((stream) => stream.key === key);
  }
}
