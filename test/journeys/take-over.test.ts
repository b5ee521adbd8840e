import t from "tap";
import { newTenant, startJourney } from "../support/journey.ts";
import { differences, hasAll, NumberedEvents } from "../support/numbered-events.ts";
import { ENOUGH_FOR_BOTH_WORKERS } from "../support/on-both-workers.ts";
import { startClients } from "../support/persevering-client.ts";
import { until } from "../support/until.ts";
import { joinedWorkers, statusOf } from "../support/workers.ts";

const EVENTS_PER_SECOND = 300;

t.test(
  "the streams of a dead worker go to a living one, whose clients notice nothing, and back to its replacement",
  async (t) => {
    const { redis, gateway } = await startJourney(t);
    const tenants = [newTenant(), newTenant(), newTenant()];
    const clients = await startClients(t, gateway, tenants, ENOUGH_FOR_BOTH_WORKERS);
    const events = new NumberedEvents(redis, tenants, EVENTS_PER_SECOND);
    events.start();
    await until("events at every client", () => clients.every(({ items }) => items.length > 0));

    const [victim, survivor] = await joinedWorkers(gateway);
    process.kill(victim!.pid, "SIGKILL");
    const owned = victim!.units.length + survivor!.units.length;
    await until("the survivor to own every stream", async () => {
      const { workers } = await statusOf(gateway);
      return workers.find(({ pid }) => pid === survivor!.pid)!.units.length === owned;
    });
    const balanced = await until("the replacement to have its share", async () => {
      const joined = await joinedWorkers(gateway);
      return joined.length === 2 && joined.every(({ units }) => Math.abs(units.length - owned / 2) <= 1) && joined;
    });
    t.ok(
      balanced.some(({ pid }) => pid === survivor!.pid),
      "the other worker was left alone",
    );
    t.notOk(balanced.some(({ pid }) => pid === victim!.pid));

    await events.stop();
    await until("every client to have everything", () => clients.every((client) => hasAll(client, events)));
    for (const client of clients) t.strictSame(differences(client, events), [], client.endpoint);
    const cut = clients.filter(({ ends }) => ends.length > 0).length;
    t.ok(cut > 0 && cut < clients.length, `only the clients of the dead worker were cut: ${cut} of ${clients.length}`);
  },
);
