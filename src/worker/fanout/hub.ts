import type { BatchSection } from "../../protocol/batch.js";
import { allUnits, type StreamLayout, unitStreams } from "../../protocol/stream.js";
import type { Audience, AudienceOptions } from "./audience.js";
import type { Positions } from "./positions.js";
import type { Subscriber } from "./subscriber.js";
import { TenantRoom } from "./tenant-room.js";

export interface HubOptions extends AudienceOptions {
  readonly layout: StreamLayout;
  readonly positions: Positions;
}

/** Where encoded events meet the subscribers of their tenant. */
export class Hub {
  readonly #options: HubOptions;
  readonly #topicOf: ReadonlyMap<string, string>;
  readonly #rooms = new Map<string, TenantRoom>();

  constructor(options: HubOptions) {
    const { layout } = options;
    this.#options = options;
    const streams = allUnits(layout).flatMap((unit) => unitStreams(layout, unit));
    this.#topicOf = new Map(streams.map(({ key, topic }) => [key, topic]));
  }

  /**
   * Broadcasts what one read or one relayed frame brought. What a stream already delivered here is passed over, so that
   * a batch handed over a second time does no harm.
   */
  deliver(sections: readonly BatchSection[]): void {
    const touched = new Set<Audience>();
    for (const section of sections) this.#deliverSection(section, touched);
    for (const audience of touched) audience.sink.flush();
    this.#options.positions.announce();
  }

  join(subscriber: Subscriber): void {
    this.#room(subscriber.tenant).join(subscriber);
  }

  leave(subscriber: Subscriber): void {
    const room = this.#rooms.get(subscriber.tenant);
    room?.leave(subscriber);
    if (room?.isEmpty) this.#rooms.delete(subscriber.tenant);
  }

  /** The position of a live connection, after everything it was sent. */
  cursor({ tenant, channel }: Subscriber): string {
    return this.#rooms.get(tenant)!.cursor(channel);
  }

  rooms(): Iterable<TenantRoom> {
    return this.#rooms.values();
  }

  #deliverSection({ streamKey, records, lastId }: BatchSection, touched: Set<Audience>): void {
    const { positions } = this.#options;
    const topic = this.#topicOf.get(streamKey);
    if (topic === undefined) return;
    for (const record of records) {
      const room = this.#rooms.get(record.tenant);
      if (room === undefined) continue;
      if (positions.advance(streamKey, record.id)) room.deliver({ topic, streamKey, record }, touched);
    }
    positions.advance(streamKey, lastId);
  }

  #room(tenant: string): TenantRoom {
    let room = this.#rooms.get(tenant);
    if (room === undefined) {
      const { layout, positions } = this.#options;
      room = new TenantRoom(tenant, layout, positions, this.#options);
      this.#rooms.set(tenant, room);
    }
    return room;
  }
}
