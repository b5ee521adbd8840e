import { loadSettings } from "../config.js";
import type { ToPrimary, ToWorker, WorkerStatistics } from "../protocol/control.js";
import { openWorker, type Worker } from "./worker.js";

/** Milliseconds the primary has to collect statistics before what is known is used. */
const STATISTICS_TIMEOUT_MS = 3_000;

/** A worker process: does what the primary says, and ends when the primary is gone. */
export function runWorker(): void {
  const settings = loadSettings();
  const waiting = new Map<number, (workers: readonly WorkerStatistics[]) => void>();
  let lastRequest = 0;
  let worker: Worker | null = null;

  const tellPrimary = (message: ToPrimary) => {
    if (process.connected) process.send!(message);
  };

  const statistics = () =>
    new Promise<readonly WorkerStatistics[]>((resolve) => {
      const request = ++lastRequest;
      const answer = (workers: readonly WorkerStatistics[]) => {
        clearTimeout(timer);
        waiting.delete(request);
        resolve(workers);
      };
      const timer = setTimeout(
        () => answer(worker === null ? [] : [worker.edge.connections.statistics()]),
        STATISTICS_TIMEOUT_MS,
      );
      waiting.set(request, answer);
      tellPrimary({ kind: "ask-statistics", request });
    });

  async function stop(): Promise<never> {
    await worker?.stop();
    process.exit(0);
  }

  async function handle(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case "assign":
        if (worker === null) {
          worker = openWorker(settings, message, { tellPrimary, statistics });
          await worker.edge.listen();
          tellPrimary({ kind: "listening" });
        } else worker.setSiblings(message.siblings);
        return;
      case "collect":
        if (worker === null) return;
        tellPrimary({ kind: "collected", request: message.request, statistics: worker.edge.connections.statistics() });
        return;
      case "statistics":
        waiting.get(message.request)?.(message.workers);
        return;
      case "stop":
        await stop();
    }
  }

  process.on("message", (message: ToWorker) => {
    handle(message).catch((error: Error) => tellPrimary({ kind: "failed", message: error.message }));
  });
  tellPrimary({ kind: "ready" });
  process.on("disconnect", () => void stop());
  // Ctrl-C reaches every process of the terminal; the primary decides when a worker stops.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
}
