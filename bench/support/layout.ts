import type { StreamLayout } from "../../src/protocol/stream.ts";

/** The gateway's defaults. */
export const LAYOUT: StreamLayout = {
  prefix: "ragline:stream:",
  topics: ["orders", "notifications", "system"],
  partitions: 16,
};

/** Where all events of the benchmarks go. */
export const TOPIC = "orders";
