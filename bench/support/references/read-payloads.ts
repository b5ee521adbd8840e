import { Redis } from "ioredis";
import { sharedStream } from "../../../src/protocol/stream.ts";
import { LAYOUT, TOPIC } from "../layout.ts";

type Reply = [key: Buffer, entries: [id: Buffer, fields: Buffer[]][]][] | null;

/** As the gateway reads: so many at once, so long. */
const COUNT = 250;
const BLOCK_MS = 2_000;
/** Of a lean entry, see `XaddTemplate`. */
const PAYLOAD_FIELD = 3;

/** Hands on the payloads of what is added to the shared stream, one read at a time, and does nothing else. */
export async function readPayloads(redisUrl: string, onRead: (payloads: readonly Buffer[]) => void): Promise<never> {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null, protocol: 2 });
  const { key } = sharedStream(LAYOUT, TOPIC);
  let last: Buffer | string = "0";
  for (;;) {
    const args = ["COUNT", COUNT, "BLOCK", BLOCK_MS, "STREAMS", key, last];
    const reply = (await redis.callBuffer("XREAD", ...args)) as Reply;
    const entries = reply?.[0]?.[1] ?? [];
    if (entries.length === 0) continue;
    last = entries.at(-1)![0];
    onRead(entries.map(([, fields]) => fields[PAYLOAD_FIELD]!));
  }
}
