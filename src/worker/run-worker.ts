import { loadSettings } from "../config.js";
import type { ToWorker } from "../protocol/control.js";
import { RefusalError } from "../protocol/errors.js";
import { PrimaryLink } from "./primary-link.js";
import { openWorker, type Worker, type WorkerLinks } from "./worker.js";

/** Milliseconds the primary has to answer before what is known is used. */
const ANSWER_TIMEOUT_MS = 3_000;

/** A worker process: does what the primary says, and ends when the primary is gone. */
export function runWorker(): void {
  const settings = loadSettings();
  const primary = new PrimaryLink();
  let worker: Worker | null = null;

  const links: WorkerLinks = {
    tellPrimary: (message) => primary.tell(message),
    statistics: async () => {
      const answer = await primary.ask({ kind: "ask-statistics" }, ANSWER_TIMEOUT_MS);
      if (answer?.kind === "statistics") return answer.workers;
      return worker === null ? [] : [worker.edge.connections.statistics()];
    },
    takePlace: async ({ tenant, user }) => {
      const answer = await primary.ask({ kind: "take-place", tenant, user }, ANSWER_TIMEOUT_MS);
      if (answer?.kind !== "place") throw new RefusalError("overloaded");
      return answer.taken;
    },
    giveBackPlace: ({ tenant, user }) => primary.tell({ kind: "give-back-place", tenant, user }),
  };

  async function stop(): Promise<never> {
    await worker?.stop();
    process.exit(0);
  }

  async function handle(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case "assign":
        if (worker !== null) {
          worker.setSiblings(message.siblings);
          return;
        }
        worker = openWorker(settings, message, links);
        await worker.edge.listen();
        primary.tell({ kind: "listening" });
        return;
      case "collect":
        if (worker === null) return;
        primary.tell({ kind: "collected", request: message.request, statistics: worker.edge.connections.statistics() });
        return;
      case "statistics":
      case "place":
        primary.answered(message);
        return;
      case "stop":
        await stop();
    }
  }

  process.on("message", (message: ToWorker) => {
    handle(message).catch((error: Error) => primary.tell({ kind: "failed", message: error.message }));
  });
  primary.tell({ kind: "ready" });
  process.on("disconnect", () => void stop());
  // Ctrl-C reaches every process of the terminal; the primary decides when a worker stops.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
}
