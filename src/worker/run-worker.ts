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
  let joining = false;

  const links: WorkerLinks = {
    tellPrimary: (message) => primary.tell(message),
    statistics: async () => {
      const answer = await primary.ask({ kind: "ask-statistics" }, ANSWER_TIMEOUT_MS);
      if (answer?.kind === "statistics") return answer.workers;
      return worker === null ? [] : [worker.edge.connections.statistics()];
    },
    takePlace: async ({ tenant, user }, limits) => {
      const answer = await primary.ask({ kind: "take-place", tenant, user, limits }, ANSWER_TIMEOUT_MS);
      if (answer?.kind !== "place") throw new RefusalError("overloaded");
      return answer.taken;
    },
    giveBackPlace: ({ tenant, user }) => primary.tell({ kind: "give-back-place", tenant, user }),
  };

  /** Once, with the first siblings the worker is told of: those that come later link up with it. */
  async function join(): Promise<void> {
    if (worker === null || joining) return;
    joining = true;
    await worker.deliverPath.allMet();
    await worker.edge.listen();
    primary.tell({ kind: "joined" });
  }

  async function stop(windowMs: number): Promise<never> {
    await worker?.stop(windowMs);
    process.exit(0);
  }

  async function handle(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case "assign":
        worker = openWorker(settings, message, links);
        await worker.deliverPath.listen();
        primary.tell({ kind: "reachable" });
        return;
      case "meet":
        worker?.deliverPath.meet(message.peers);
        await join();
        return;
      case "gone":
        await worker?.deliverPath.gone(message.incarnation, message.units, message.move);
        return;
      case "take-over":
        await worker?.deliverPath.takeOver(message.units);
        return;
      case "release":
        await worker?.deliverPath.release(message.units, message.move);
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
        await stop(message.windowMs);
    }
  }

  process.on("message", (message: ToWorker) => {
    handle(message).catch((error: Error) => primary.tell({ kind: "failed", message: error.message }));
  });
  primary.tell({ kind: "ready" });
  process.on("disconnect", () => void stop(0));
  // Ctrl-C reaches every process of the terminal; the primary decides when a worker stops.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
}
