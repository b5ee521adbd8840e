import type { Log } from "../observe/log.js";
import { allUnits, type StreamLayout, unitStreams } from "../protocol/stream.js";
import type { RedisClient } from "../redis/connect.js";
import { forgetGateway, signOfLife } from "../redis/gateways.js";
import { canaryKey } from "../redis/keys.js";
import { removeGroup } from "../redis/streams.js";

const REFRESH_MS = 10_000;

/** Says in Redis that this gateway is alive, and takes its traces away in the end. */
export class GatewayKey {
  readonly #client: RedisClient;
  readonly #group: string;
  readonly #log: Log;
  readonly #refreshing: NodeJS.Timeout;

  constructor(client: RedisClient, group: string, log: Log) {
    this.#client = client;
    this.#group = group;
    this.#log = log;
    client.on("ready", () => void this.#refresh());
    this.#refreshing = setInterval(() => void this.#refresh(), REFRESH_MS);
  }

  /** Removes the group from every stream. Resolves, with a warning, when Redis cannot be reached. */
  async leave(layout: StreamLayout): Promise<void> {
    clearInterval(this.#refreshing);
    const keys = allUnits(layout).flatMap((unit) => unitStreams(layout, unit).map(({ key }) => key));
    try {
      await Promise.all(keys.map((key) => removeGroup(this.#client, key, this.#group)));
      await Promise.all(keys.map((key) => this.#client.del(canaryKey(this.#group, key))));
      await forgetGateway(this.#client, this.#group);
    } catch (error) {
      this.#log.warn({ err: error, group: this.#group }, "the consumer group could not be removed");
    }
  }

  async #refresh(): Promise<void> {
    if (this.#client.status !== "ready") return;
    await signOfLife(this.#client, this.#group).catch((error: Error) => {
      this.#log.warn({ err: error }, "the gateway could not say that it is alive");
    });
  }
}
