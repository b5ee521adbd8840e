import type { BenchOptions, Report } from "./support/benchmark.ts";
import { measureBroadcast } from "./support/broadcast.ts";

export const question = "How many SSE deliveries a second of one tenant's events, and what does one cost?";

export function run(options: BenchOptions): Promise<Report> {
  return measureBroadcast({ ...options, transport: "sse" });
}
