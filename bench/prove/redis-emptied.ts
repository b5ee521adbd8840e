import { setTimeout as delay } from "node:timers/promises";
import type { Scenario, Scene } from "./support/scenario.ts";
import { addUnread } from "./support/unread.ts";

const BETWEEN_MS = 2_000;

/** Does it while everything is read as it comes, and then to events that nobody has read. */
async function twice(scene: Scene, harm: () => Promise<unknown>): Promise<void> {
  await harm();
  await delay(BETWEEN_MS);
  await addUnread(scene, harm);
  await delay(BETWEEN_MS);
}

export const redisFlushed: Scenario = {
  name: "redis-flushed",
  what: "Redis is emptied, once of events that were read and once of others: a gap `reset` says what is missing",
  setting: { gaps: ["reset"] },
  run: (scene) => twice(scene, () => scene.redis.commands.flushall()),
};

export const streamDeleted: Scenario = {
  name: "stream-deleted",
  what: "the shared stream and a partition of one topic are deleted, read and unread: a gap `reset` of that topic says what is missing",
  setting: { gaps: ["reset"], gapTopics: ["orders"] },
  run: (scene) => twice(scene, () => scene.redis.commands.del(...keysOfOrders(scene))),
};

export const streamTrimmed: Scenario = {
  name: "stream-trimmed",
  what: "streams are trimmed past what was read: a gap `trimmed` of that topic says what is missing",
  setting: { gaps: ["trimmed"], gapTopics: ["orders"] },
  run: (scene) =>
    twice(scene, () => Promise.all(keysOfOrders(scene).map((key) => scene.redis.commands.xtrim(key, "MAXLEN", 2)))),
};

/** The shared stream, and a tenant's partition. */
function keysOfOrders({ tenants, random }: Scene): string[] {
  const { streams } = random.pick(tenants);
  return streams.filter(({ topic }) => topic === "orders").map(({ key }) => key);
}
