import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";

const SCHEDULER_STATISTICS = `/proc/self/task/${process.pid}/schedstat`;

/** How `mainThreadNs` measures here. */
export const mainThreadClock = hasSchedulerStatistics()
  ? "CPU time of the main thread, from the kernel's scheduler"
  : "time in which the event loop was not idle; on Linux it would be CPU time of the main thread";

/** Nanoseconds the main thread has worked so far, threads of its pool not counted. */
export function mainThreadNs(): number {
  if (!hasSchedulerStatistics()) return performance.eventLoopUtilization().active * 1e6;
  return Number(readFileSync(SCHEDULER_STATISTICS, "latin1").split(" ")[0]);
}

function hasSchedulerStatistics(): boolean {
  try {
    return readFileSync(SCHEDULER_STATISTICS, "latin1") !== "";
  } catch {
    return false;
  }
}
