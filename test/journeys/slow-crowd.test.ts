import { readFile } from "node:fs/promises";
import t from "tap";
import { follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { descendants } from "../support/processes.ts";
import { openSse } from "../support/sse-client.ts";
import { openWs } from "../support/ws-client.ts";
import { addEvent, PLACES } from "../support/xadd.ts";

const MIB = 1024 * 1024;
const SLOW = 200;
const HISTORY_BYTES = 4 * MIB;
const BUFFERED_BYTES = 64 * 1024;
/** 12 MB: more than the buffers of a socket hold, and more than the history. */
const EVENTS = 240;
const TEXT = "x".repeat(50_000);
/** Of the slow ones, those that read it all in the end. */
const PATIENT = 10;

/** Resident memory of everything the gateway runs, in bytes. */
async function memoryOf(pid: number): Promise<number> {
  const sizes = await Promise.all(
    (await descendants(pid)).map(async (each) => {
      const status = await readFile(`/proc/${each}/status`, "utf8").catch(() => "");
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

t.test("two hundred slow clients cost a bounded amount of memory, and nobody else's time", async (t) => {
  const { redis, gateway } = await startJourney(t, {
    RAGLINE_HISTORY_BYTES: String(HISTORY_BYTES),
    RAGLINE_MAX_BUFFERED_BYTES: String(BUFFERED_BYTES),
    RAGLINE_STALL_SECONDS: "600",
  });
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const fast = await follow(t, gateway, "/ws", { token });
  const slow = await Promise.all(
    Array.from({ length: SLOW }, async (_, index) => {
      const client =
        index % 2 === 0
          ? await openSse(t, `${gateway.url}/stream`, { token })
          : await openWs(t, `${gateway.url}/ws`, { token });
      await client.next();
      client.pause();
      return client;
    }),
  );
  const before = await memoryOf(gateway.process.pid!);
  let most = 0;
  for (let n = 0; n < EVENTS; n++) {
    await addEvent(redis, { tenant_id: tenant, payload: { n, TEXT } }, PLACES[1]);
    if (n % 20 === 0) most = Math.max(most, await memoryOf(gateway.process.pid!));
  }
  const ofFast = await fast.take(EVENTS);
  t.same(
    ofFast.map(({ data }) => (data as { n: number }).n),
    Array.from({ length: EVENTS }, (_, n) => n),
    "the fast one had everything at once",
  );
  most = Math.max(most, await memoryOf(gateway.process.pid!));
  const queued = SLOW * EVENTS * TEXT.length;
  const allowed = 2 * HISTORY_BYTES + SLOW * (BUFFERED_BYTES + TEXT.length);
  // The rest is what two Node processes take for their own work; what would have been queued is 2.4 GB.
  t.ok(most - before < allowed + 250 * MIB, `grew by ${Math.round((most - before) / MIB)} MiB`);
  t.ok(queued > 5 * (allowed + 250 * MIB));

  const patient = slow.slice(0, PATIENT);
  for (const client of patient) client.resume();
  for (const client of patient) {
    const items = (await client.inbox.take(EVENTS, undefined, 60_000)) as { data: unknown }[];
    const got = items.map(({ data }) => (typeof data === "string" ? JSON.parse(data) : data).n);
    t.same(
      got,
      Array.from({ length: EVENTS }, (_, n) => n),
      "a slow one that reads on gets all of it in order",
    );
  }
});
