import t from "tap";
import { type Endpoint, follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { differences, hasAll, NumberedEvents } from "../support/numbered-events.ts";
import { ENOUGH_FOR_BOTH_WORKERS } from "../support/on-both-workers.ts";
import { startClients } from "../support/persevering-client.ts";
import { isAlive } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { joinedWorkers } from "../support/workers.ts";

const ENDPOINTS: readonly Endpoint[] = ["/stream", "/ws"];
const EVENTS_PER_SECOND = 300;

t.test("SIGHUP replaces every worker while clients come and go, and no event is lost", async (t) => {
  const { redis, gateway } = await startJourney(t);
  const tenants = [newTenant(), newTenant(), newTenant()];
  const clients = await startClients(t, gateway, tenants, ENOUGH_FOR_BOTH_WORKERS);
  const events = new NumberedEvents(redis, tenants, EVENTS_PER_SECOND);
  events.start();

  const before = await joinedWorkers(gateway);
  gateway.process.kill("SIGHUP");
  let replaced = false;
  const newcomers = comeAndGo();
  const after = await until("other workers", async () => {
    const joined = await joinedWorkers(gateway);
    return joined.length === 2 && joined.every(({ pid }) => before.every((old) => old.pid !== pid)) && joined;
  });
  await until("their share of the streams", async () => {
    const [a, b] = (await joinedWorkers(gateway)).map(({ units }) => units.length);
    return a! + b! === before.flatMap(({ units }) => units).length && Math.abs(a! - b!) <= 1;
  });
  await until("the old ones to be gone", () => before.every(({ pid }) => !isAlive(pid)));
  replaced = true;
  const { tries, refusals } = await newcomers;
  t.ok(tries > 0);
  t.strictSame(refusals, [], "nobody who came meanwhile was refused");
  t.strictSame(after.map(({ id }) => id).sort(), [1, 2]);

  await events.stop();
  await until("every client to have everything", () => clients.every((client) => hasAll(client, events)));
  for (const client of clients) t.strictSame(differences(client, events), [], client.endpoint);
  t.ok(
    clients.every(({ ends }) => ends.length > 0),
    "every client was sent to another worker",
  );

  /** One client after the other, until the workers are replaced. */
  async function comeAndGo(): Promise<{ tries: number; refusals: string[] }> {
    const refusals: string[] = [];
    const token = gateway.token({ tenant: tenants[0]! });
    let tries = 0;
    for (; !replaced; tries++) {
      await follow(t, gateway, ENDPOINTS[tries % 2]!, { token }).then(
        ({ cut }) => cut(),
        (error: Error) => refusals.push(error.message),
      );
    }
    return { tries, refusals };
  }
});
