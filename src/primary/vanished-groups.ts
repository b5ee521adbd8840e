import type { Log } from "../observe/log.js";
import { allUnits, type StreamLayout, unitStreams } from "../protocol/stream.js";
import type { RedisClient } from "../redis/connect.js";
import { forgetGateway, gatewayGroups, vanishedGateways } from "../redis/gateways.js";
import { removeGroup } from "../redis/streams.js";

export interface VanishedGroupsOptions {
  readonly client: RedisClient;
  readonly layout: StreamLayout;
  /** Our own. */
  readonly group: string;
  readonly log: Log;
}

/** Milliseconds between two looks; each gateway adds up to as much again, so that they do not look all at once. */
const LOOK_EVERY_MS = 60_000;

/** Removes the consumer groups of gateways that were killed, an hour after their last sign of life and not before. */
export class VanishedGroups {
  readonly #options: VanishedGroupsOptions;
  #timer: NodeJS.Timeout;
  #stopped = false;

  constructor(options: VanishedGroupsOptions) {
    this.#options = options;
    this.#timer = this.#later();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** @throws Error when Redis cannot be reached. */
  async remove(): Promise<void> {
    const { client, layout, group: own, log } = this.#options;
    const keys = allUnits(layout).flatMap((unit) => unitStreams(layout, unit).map(({ key }) => key));
    const readers = new Map<string, string[]>();
    for (const key of keys) {
      for (const group of await gatewayGroups(client, key)) {
        if (group !== own) readers.set(group, [...(readers.get(group) ?? []), key]);
      }
    }
    for (const group of await vanishedGateways(client, [...readers.keys()])) {
      log.info({ group }, "the consumer group of a gateway that has been gone for an hour is removed");
      await Promise.all(readers.get(group)!.map((key) => removeGroup(client, key, group)));
      await forgetGateway(client, group);
    }
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => void this.#look(), LOOK_EVERY_MS * (1 + Math.random()));
  }

  async #look(): Promise<void> {
    const { client, log } = this.#options;
    if (client.status === "ready") {
      await this.remove().catch((error: Error) => log.warn({ err: error }, "no look for vanished gateways"));
    }
    if (!this.#stopped) this.#timer = this.#later();
  }
}
