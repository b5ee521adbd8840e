import { setTimeout as delay } from "node:timers/promises";
import t from "tap";
import { startGateway } from "../support/gateway.ts";
import { connectToRedis, newTenant } from "../support/journey.ts";
import { differences, hasAll, NumberedEvents } from "../support/numbered-events.ts";
import { startClients } from "../support/persevering-client.ts";
import { startTestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { joinedWorkers } from "../support/workers.ts";

const TENANTS = 20;
const CLIENTS = 100;
const EVENTS_PER_SECOND = 600;
const KILLS = 20;
const LONGEST_PAUSE_MS = 1_500;

t.test("workers are killed 20 times in a row at random moments, and every client has every event once", async (t) => {
  const server = await startTestRedis(t);
  const gateway = await startGateway(t, { redis: server, workers: 3 });
  const tenants = Array.from({ length: TENANTS }, newTenant);
  const clients = await startClients(t, gateway, tenants, CLIENTS);

  const events = new NumberedEvents(connectToRedis(t, server), tenants, EVENTS_PER_SECOND);
  events.start();
  for (let kills = 0; kills < KILLS; kills++) {
    await delay(Math.random() * LONGEST_PAUSE_MS);
    const workers = await until("a worker to kill", async () => {
      const joined = await joinedWorkers(gateway);
      return joined.length > 0 && joined;
    });
    process.kill(workers[Math.floor(Math.random() * workers.length)]!.pid, "SIGKILL");
  }
  await delay(LONGEST_PAUSE_MS);
  await events.stop();

  await until("every client to have everything", () => clients.every((client) => hasAll(client, events)), 60_000).catch(
    () => t.fail("not every client got as many events as were added"),
  );
  for (const client of clients) {
    const found = differences(client, events);
    t.strictSame(found.slice(0, 5), [], `${client.endpoint} of ${client.tenant} got what it was owed`);
    if (found.length > 0) t.comment(client.ends.join("\n"));
  }
});
