import { createHash } from "node:crypto";
import type { RedisClient } from "./connect.js";

/** A Lua script, sent once to each server and named by its digest from then on. */
export class Script {
  readonly #text: string;
  readonly #digest: string;

  constructor(text: string) {
    this.#text = text;
    this.#digest = createHash("sha1").update(text).digest("hex");
  }

  async run(client: RedisClient, keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    const all = [...keys, ...args];
    try {
      return await client.evalsha(this.#digest, keys.length, all);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return client.eval(this.#text, keys.length, all);
    }
  }
}
