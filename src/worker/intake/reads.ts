import { keySlot } from "../../protocol/partition.js";
import type { StreamRef } from "../../protocol/stream.js";

/**
 * Which streams one XREADGROUP can name: all of them, but in a cluster only those of one hash slot
 * (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/, "Multi-key operations").
 */
export function readsOf(
  streams: readonly StreamRef[],
  mode: "standalone" | "cluster" | "sentinel",
): (readonly StreamRef[])[] {
  if (streams.length === 0) return [];
  if (mode !== "cluster") return [streams];
  const bySlot = new Map<number, StreamRef[]>();
  for (const stream of streams) {
    const slot = keySlot(stream.key);
    const sameSlot = bySlot.get(slot);
    if (sameSlot === undefined) bySlot.set(slot, [stream]);
    else sameSlot.push(stream);
  }
  return [...bySlot.values()];
}
