import { gatewayEnvironment, loadPublisherSettings } from "../config.js";
import { RefusalError } from "../protocol/errors.js";
import { connectRedis, firstAttempt } from "../redis/connect.js";
import { checkItems, MAX_REQUEST_ITEMS } from "./item.js";
import { makeEventWriter } from "./write.js";

export { SettingsError } from "../config.js";
export { MAX_REQUEST_ITEMS, RefusalError };

/** What is not given comes from the environment, under the names in brackets. docs/settings.md has the defaults. */
export interface PublisherOptions {
  /** `redis://` or `rediss://`; several, separated by commas, for a cluster or for sentinels (`REDIS_URL`). */
  readonly redisUrl?: string;
  /** (`REDIS_MODE`) */
  readonly redisMode?: "standalone" | "cluster" | "sentinel";
  /** Name of the master, with sentinels (`REDIS_SENTINEL_NAME`). */
  readonly sentinelName?: string;
  /** The same as the gateway's (`RAGLINE_STREAM_PREFIX`). */
  readonly streamPrefix?: string;
  /** The same as the gateway's (`RAGLINE_TOPICS`). */
  readonly topics?: readonly string[];
  /** The same as the gateway's (`RAGLINE_PARTITIONS`). */
  readonly partitions?: number;
  /** Entries kept per stream, about; 0 = never trim (`RAGLINE_STREAM_MAXLEN`). */
  readonly streamMaxLen?: number;
}

/** An event to add. Names are text of 1 to 256 bytes, or integers. */
export interface EventToPublish {
  /** One of the gateway's. */
  readonly topic: string;
  /** 1 to 256 bytes without control characters. */
  readonly event_type: string;
  /** Anything that JSON.stringify writes, at most 1 MiB, nested at most 512 levels deep. */
  readonly payload: unknown;
  /** Who gets it. */
  readonly tenant_id: string | number;
  /** With one, the event is added once within 24 hours, however often it is published. Unique for its tenant. */
  readonly event_id?: string | number;
  /** Whose doing it was. */
  readonly user_id?: string | number;
  /** The one user who gets it; without one, every user of the tenant. */
  readonly target_user_id?: string | number;
}

/**
 * Adds events to the streams that gateways read. Nothing is queued: while Redis is away, publishing fails with a
 * RefusalError whose `code` is "unavailable". Its other codes are "bad_request" and "too_large" (more than 1 MiB an
 * event); its message names the item, from 0, and the field.
 */
export interface Publisher {
  /**
   * @returns the entry's id in its stream; for an `event_id` known already, the id of the first time
   * @throws RefusalError
   */
  publish(event: EventToPublish): Promise<string>;
  /**
   * Adds all of these events or none; in a Redis Cluster, all or none of each partition. At most 50,000 at a time.
   *
   * @returns ids in the order of the events
   * @throws RefusalError
   */
  publishMany(events: readonly EventToPublish[]): Promise<string[]>;
  /** Ends the connection once everything published so far is answered. Afterwards nothing keeps the process alive. */
  close(): Promise<void>;
}

/** @throws SettingsError naming every option or variable that is not acceptable */
export function createPublisher(options: PublisherOptions = {}): Publisher {
  const settings = loadPublisherSettings(
    gatewayEnvironment({
      REDIS_URL: options.redisUrl,
      REDIS_MODE: options.redisMode,
      REDIS_SENTINEL_NAME: options.sentinelName,
      RAGLINE_STREAM_PREFIX: options.streamPrefix,
      RAGLINE_TOPICS: options.topics?.join(","),
      RAGLINE_PARTITIONS: options.partitions?.toString(),
      RAGLINE_STREAM_MAXLEN: options.streamMaxLen?.toString(),
    }),
  );
  const rules = { topics: settings.topics, ownTenant: null, anyTenant: true };
  // What goes wrong is told to whoever publishes meanwhile.
  const client = connectRedis(settings.redis, { name: "ragline-publisher", onError: () => {} });
  const connected = firstAttempt(client);
  const write = makeEventWriter(client, settings);

  const running = new Set<Promise<string[]>>();
  let closed = false;

  async function add(events: readonly EventToPublish[]): Promise<string[]> {
    if (closed) throw new RefusalError("unavailable", "the publisher is closed");
    const checked = await checkItems(events.map(withJsonPayload), rules);
    if (checked.length === 0) return [];
    await connected;
    return write(checked);
  }

  function publishMany(events: readonly EventToPublish[]): Promise<string[]> {
    const adding = add(events);
    running.add(adding);
    return adding.finally(() => running.delete(adding));
  }

  return {
    publish: async (event) => (await publishMany([event]))[0]!,
    publishMany,
    close: async () => {
      closed = true;
      await Promise.allSettled(running);
      client.disconnect();
    },
  };
}

/** The payload as JSON has it: without undefined members, with dates as text. */
function withJsonPayload(event: EventToPublish, index: number): unknown {
  if (typeof event !== "object" || event === null || event.payload === undefined) return event;
  try {
    return { ...event, payload: JSON.parse(JSON.stringify(event.payload)) };
  } catch {
    throw new RefusalError("bad_request", `item ${index}: payload: has no JSON form`);
  }
}
