import type { Scene } from "./scenario.ts";

const EACH = 5;

/**
 * Stops all workers for a moment, adds events to every stream, does something to them, and lets the workers go on: what
 * was done is done to events the gateway has not read.
 */
export async function addUnread({ gateway, publisher }: Scene, harm: () => Promise<unknown>): Promise<void> {
  const workers = await gateway.workers();
  for (const pid of workers) gateway.freezeWorker(pid);
  try {
    await publisher.burst(EACH);
    await harm();
  } finally {
    for (const pid of workers) gateway.thawWorker(pid);
  }
}
