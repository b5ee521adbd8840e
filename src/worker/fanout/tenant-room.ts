import type { BatchRecord } from "../../protocol/batch.js";
import { type Channel, channelTopics } from "../../protocol/channel.js";
import { matches } from "../../protocol/filter.js";
import { partitionOf } from "../../protocol/partition.js";
import type { StreamLayout } from "../../protocol/stream.js";
import { type Audience, AudienceGroup, type AudienceOptions, type AudienceRoom } from "./audience.js";
import { composeFrame } from "./frame.js";
import type { Positions, WriteCursor } from "./positions.js";
import type { FrameFormat, Subscriber } from "./subscriber.js";

/** An event on its way to a tenant's subscribers. */
export interface LiveEvent {
  readonly topic: string;
  readonly streamKey: string;
  readonly record: BatchRecord;
}

/** Everyone of one tenant on this worker. Nothing in here can reach another tenant: it holds no reference to one. */
export class TenantRoom implements AudienceRoom {
  readonly tenant: string;
  readonly #partition: number;
  readonly #layout: StreamLayout;
  readonly #positions: Positions;
  readonly #options: AudienceOptions;
  readonly #groups = new Map<string, AudienceGroup>();
  readonly #live = new Map<Subscriber, Audience>();
  readonly #byUser = new Map<string, Set<Subscriber>>();
  readonly #cursors = new Map<Channel, WriteCursor>();

  constructor(tenant: string, layout: StreamLayout, positions: Positions, options: AudienceOptions) {
    this.tenant = tenant;
    this.#partition = partitionOf(tenant, layout.partitions);
    this.#layout = layout;
    this.#positions = positions;
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#live.size === 0;
  }

  /** From here on the subscriber gets every live event that its channel and filter let through. */
  join(subscriber: Subscriber): Audience {
    const audience = this.#group(subscriber.channel, subscriber.format).join(subscriber);
    this.#live.set(subscriber, audience);
    const sameUser = this.#byUser.get(subscriber.user) ?? new Set();
    this.#byUser.set(subscriber.user, sameUser.add(subscriber));
    return audience;
  }

  leave(subscriber: Subscriber): void {
    const audience = this.#live.get(subscriber);
    if (audience === undefined) return;
    const group = this.#group(subscriber.channel, subscriber.format);
    group.leave(subscriber, audience);
    if (group.isEmpty) this.#groups.delete(groupKey(subscriber.channel, subscriber.format));
    this.#live.delete(subscriber);
    const sameUser = this.#byUser.get(subscriber.user)!;
    sameUser.delete(subscriber);
    if (sameUser.size === 0) this.#byUser.delete(subscriber.user);
  }

  /** Hands one event to all it is meant for; audiences written to are added to `touched`, to be flushed. */
  deliver(event: LiveEvent, touched: Set<Audience>): void {
    if (event.record.target === "") this.#broadcast(event, touched);
    else this.#sendToUser(event);
  }

  /**
   * The position after everything delivered so far, for a connection on this channel.
   * @param eventStream the stream of the event that is being delivered.
   */
  cursor(channel: Channel, eventStream?: string): string {
    let write = this.#cursors.get(channel);
    if (write === undefined) {
      write = this.#positions.cursorWriter(channelTopics(channel, this.#layout.topics), this.#partition);
      this.#cursors.set(channel, write);
    }
    return write(eventStream);
  }

  /** Live connections by user. */
  users(): ReadonlyMap<string, ReadonlySet<Subscriber>> {
    return this.#byUser;
  }

  #broadcast({ topic, streamKey, record }: LiveEvent, touched: Set<Audience>): void {
    for (const group of this.#groups.values()) {
      if (!group.admits(topic, record)) continue;
      let cursor = "";
      let frame: Uint8Array | undefined;
      group.forType(record.type, (audience) => {
        if (frame === undefined) {
          cursor = this.cursor(group.channel, streamKey);
          frame = composeFrame(group.format, group.channel, record, cursor);
        }
        audience.sink.write(frame, cursor);
        touched.add(audience);
      });
    }
  }

  /** Not a broadcast: a user's own few connections. */
  #sendToUser({ topic, streamKey, record }: LiveEvent): void {
    for (const subscriber of this.#byUser.get(record.target) ?? []) {
      const { channel, format, filter } = subscriber;
      if (!this.#group(channel, format).admits(topic, record) || !matches(filter, record.type)) continue;
      this.#live.get(subscriber)!.sink.flush();
      const cursor = this.cursor(channel, streamKey);
      subscriber.send(composeFrame(format, channel, record, cursor), cursor);
    }
  }

  #group(channel: Channel, format: FrameFormat): AudienceGroup {
    const key = groupKey(channel, format);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new AudienceGroup(this, channel, format, this.#options);
      this.#groups.set(key, group);
    }
    return group;
  }
}

function groupKey(channel: Channel, format: FrameFormat): string {
  return `${channel.name}/${format}`;
}
