import cluster from "node:cluster";
import { fileURLToPath } from "node:url";
import { loadSettings, SettingsError } from "./config.js";
import { runPrimary } from "./primary/primary.js";
import { runWorker } from "./worker/run-worker.js";

if (cluster.isPrimary) {
  try {
    await runPrimary(loadSettings(), fileURLToPath(import.meta.url));
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(error.exitCode);
  }
} else {
  runWorker();
}
