import type { BatchRecord } from "../../protocol/batch.js";
import type { Channel } from "../../protocol/channel.js";
import { isPrefix, type TypeFilter, withoutStar } from "../../protocol/filter.js";
import { composeHeartbeat } from "./frame.js";
import type { Beating, Heartbeats } from "./heartbeats.js";
import type { AudienceSink, FrameFormat, OpenAudience, Subscriber } from "./subscriber.js";

/** Connections that get exactly the same bytes: one tenant, channel, format and filter. */
export class Audience implements Beating {
  readonly group: AudienceGroup;
  readonly filter: TypeFilter;
  readonly sink: AudienceSink;
  members = 0;

  constructor(group: AudienceGroup, filter: TypeFilter, sink: AudienceSink) {
    this.group = group;
    this.filter = filter;
    this.sink = sink;
  }

  get heartbeatSeconds(): number {
    return this.group.channel.heartbeatSeconds;
  }

  beat(): void {
    const { format, channel, room } = this.group;
    const cursor = room.cursor(channel);
    this.sink.write(composeHeartbeat(format, channel, room.tenant, cursor), cursor);
    this.sink.flush();
  }
}

/** What an audience needs to know of its tenant. */
export interface AudienceRoom {
  readonly tenant: string;
  cursor(channel: Channel): string;
}

export interface AudienceOptions {
  readonly openAudience: OpenAudience;
  readonly heartbeats: Heartbeats;
}

/** The audiences of one tenant on one channel in one format, found by event type without asking each. */
export class AudienceGroup {
  readonly channel: Channel;
  readonly format: FrameFormat;
  readonly room: AudienceRoom;
  readonly #topicPrefix: string;
  readonly #options: AudienceOptions;
  readonly #byFilter = new Map<string, Audience>();
  /** By pattern: `*` for everything, an exact type, or a prefix with its star. */
  readonly #byPattern = new Map<string, Set<Audience>>();
  readonly #prefixes = new Set<string>();

  constructor(room: AudienceRoom, channel: Channel, format: FrameFormat, options: AudienceOptions) {
    this.room = room;
    this.channel = channel;
    this.format = format;
    this.#topicPrefix = `${encodeURIComponent(room.tenant)}/${channel.name}/${format}/`;
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#byFilter.size === 0;
  }

  join(subscriber: Subscriber): Audience {
    const { filter } = subscriber;
    const audience = this.#byFilter.get(filter.key) ?? this.#create(filter);
    audience.members++;
    audience.sink.add(subscriber);
    return audience;
  }

  leave(subscriber: Subscriber, audience: Audience): void {
    audience.sink.flush();
    audience.sink.remove(subscriber);
    audience.members--;
    if (audience.members === 0) this.#drop(audience);
  }

  /** Whether the channel lets this event pass, before any connection's own filter. */
  admits(topic: string, { type }: BatchRecord): boolean {
    const { topics, admits } = this.channel;
    return (topics === null || topics.includes(topic)) && admits(type);
  }

  /** Calls `visit` once for each audience that wants events of this type. */
  forType(type: string, visit: (audience: Audience) => void): void {
    this.#byPattern.get(EVERY_TYPE)?.forEach(visit);
    if (!isPrefix(type)) this.#byPattern.get(type)?.forEach(visit);
    for (const pattern of this.#prefixes) {
      if (type.startsWith(withoutStar(pattern))) this.#byPattern.get(pattern)?.forEach(visit);
    }
  }

  #create(filter: TypeFilter): Audience {
    const sink = this.#options.openAudience(this.#topicPrefix + filter.key, this.format);
    const audience = new Audience(this, filter, sink);
    this.#byFilter.set(filter.key, audience);
    this.#options.heartbeats.add(audience);
    for (const pattern of patternsOf(filter)) {
      const audiences = this.#byPattern.get(pattern) ?? new Set();
      this.#byPattern.set(pattern, audiences.add(audience));
      if (pattern !== EVERY_TYPE && isPrefix(pattern)) this.#prefixes.add(pattern);
    }
    return audience;
  }

  #drop(audience: Audience): void {
    this.#byFilter.delete(audience.filter.key);
    this.#options.heartbeats.remove(audience);
    for (const pattern of patternsOf(audience.filter)) {
      const audiences = this.#byPattern.get(pattern)!;
      audiences.delete(audience);
      if (audiences.size > 0) continue;
      this.#byPattern.delete(pattern);
      this.#prefixes.delete(pattern);
    }
  }
}

const EVERY_TYPE = "*";

function patternsOf(filter: TypeFilter): readonly string[] {
  return filter.patterns.length === 0 ? [EVERY_TYPE] : filter.patterns;
}
