import t from "tap";
import { newTenant, startJourney } from "../support/journey.ts";
import { differences, hasAll, NumberedEvents } from "../support/numbered-events.ts";
import { ENOUGH_FOR_BOTH_WORKERS } from "../support/on-both-workers.ts";
import { startClients } from "../support/persevering-client.ts";
import { until } from "../support/until.ts";
import { joinedWorkers } from "../support/workers.ts";

const EVENTS_PER_SECOND = 100;
const REPLACED_WITHIN_MS = 40_000;

t.test("a worker that does nothing any more is replaced, and nothing is lost", async (t) => {
  const { redis, gateway } = await startJourney(t);
  const tenant = newTenant();
  const clients = await startClients(t, gateway, [tenant], ENOUGH_FOR_BOTH_WORKERS);
  const events = new NumberedEvents(redis, [tenant], EVENTS_PER_SECOND);
  events.start();

  const [paused] = await joinedWorkers(gateway);
  process.kill(paused!.pid, "SIGSTOP");
  await until(
    "another worker in its place",
    async () => {
      const joined = await joinedWorkers(gateway);
      return joined.length === 2 && joined.every(({ pid }) => pid !== paused!.pid);
    },
    REPLACED_WITHIN_MS,
  );
  await events.stop();
  await until("every client to have everything", () => clients.every((client) => hasAll(client, events)));
  for (const client of clients) t.strictSame(differences(client, events), [], client.endpoint);
});
