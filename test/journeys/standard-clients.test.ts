import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { EventSource } from "eventsource";
import t, { type Test } from "tap";
import { WebSocket } from "ws";
import { Inbox } from "../support/inbox.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { addEvent } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

const add = async (tenant: string, payloads: readonly unknown[]) => {
  for (const payload of payloads) await addEvent(redis, { tenant_id: tenant, payload });
};

interface Shown {
  readonly id: string;
  readonly data: unknown;
}

t.test("the npm package eventsource reconnects by itself after a cut, and misses nothing", async (t) => {
  const tenant = newTenant();
  const network = await startTcpProxy(t, gateway.port);
  const sentIds: (string | null)[] = [];
  const source = new EventSource(`http://127.0.0.1:${network.port}/stream`, {
    fetch: (input, init) => {
      const headers = new Headers(init.headers);
      sentIds.push(headers.get("last-event-id"));
      headers.set("authorization", `Bearer ${gateway.token({ tenant })}`);
      return fetch(input, { ...init, headers });
    },
  });
  t.teardown(() => source.close());
  const connected = new Inbox<string>();
  const events = new Inbox<Shown>();
  source.addEventListener("connected", ({ lastEventId }) => connected.push(lastEventId));
  source.addEventListener("order_created", ({ lastEventId: id, data }) => events.push({ id, data: JSON.parse(data) }));

  await connected.next();
  await add(tenant, [1, 2]);
  const seen = await events.take(2);
  network.cut(true);
  await add(tenant, [3, 4]);
  network.accept();
  await connected.next(undefined, 20_000);
  await add(tenant, [5]);
  const after = await events.take(3, undefined, 20_000);
  t.same(
    [...seen, ...after].map(({ data }) => data),
    [1, 2, 3, 4, 5],
  );
  t.equal(sentIds.at(-1), seen[1]!.id, "it sent the last id it had seen");
});

t.test("eventsource that was cut before its first event resumes from connected", async (t) => {
  const tenant = newTenant();
  const network = await startTcpProxy(t, gateway.port);
  const source = new EventSource(`http://127.0.0.1:${network.port}/stream?token=${gateway.token({ tenant })}`);
  t.teardown(() => source.close());
  const connected = new Inbox<string>();
  const events = new Inbox<unknown>();
  source.addEventListener("connected", ({ lastEventId }) => connected.push(lastEventId));
  source.addEventListener("order_created", ({ data }) => events.push(JSON.parse(data)));
  await connected.next();
  network.cut(true);
  await add(tenant, [1, 2]);
  network.accept();
  t.same(await events.take(2, undefined, 20_000), [1, 2]);
});

t.test("the npm package ws follows and resumes", async (t) => {
  const tenant = newTenant();
  const open = async (query: string) => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws?token=${gateway.token({ tenant })}${query}`);
    t.teardown(() => socket.terminate());
    const inbox = new Inbox<{ type: string; id: string; data: unknown }>();
    socket.on("message", (data) => inbox.push(JSON.parse(String(data))));
    await once(socket, "open");
    return { socket, inbox };
  };
  const first = await open("");
  t.match(await first.inbox.next(), { type: "connected" });
  await add(tenant, [1]);
  const { id } = await first.inbox.next();
  first.socket.close();
  await add(tenant, [2]);
  const second = await open(`&last_event_id=${id}`);
  t.match(await second.inbox.next(), { type: "connected" });
  t.match(await second.inbox.next(), { type: "event", data: 2 });
});

function curl(t: Test, ...args: readonly string[]): { child: ChildProcess; lines: Inbox<string> } {
  const child = spawn("curl", ["--no-progress-meter", "--noproxy", "*", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  const lines = new Inbox<string>();
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const part of parts) lines.push(part);
  });
  child.on("exit", (code) => lines.end(`curl exited with ${code}`));
  return { child, lines };
}

t.test("curl -N shows each event as it comes", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  const { lines } = curl(t, "-N", "-H", `Authorization: Bearer ${token}`, `${gateway.url}/stream`);
  t.match(await lines.next(), /^retry: \d+$/);
  await lines.next((line) => line === "event: connected");
  for (const n of [1, 2]) {
    await add(tenant, [{ n }]);
    t.equal(await lines.next((line) => line.startsWith("event: ")), "event: order_created");
    t.equal(await lines.next((line) => line.startsWith("data: ")), `data: {"n":${n}}`);
    t.equal(await lines.next(), "", "an event ends with an empty line");
  }
});

t.test("curl publishes with --data", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant, roles: ["publisher"] });
  const event = JSON.stringify({ topic: "orders", event_type: "order_created", payload: 1 });
  const type = "Content-Type: application/json";
  const { child, lines } = curl(
    t,
    ...["-w", "\\n%{http_code}\\n", "-H", `Authorization: Bearer ${token}`, "-H", type],
    ...["--data", event, `${gateway.url}/publish`],
  );
  t.match(JSON.parse(await lines.next()), { ids: [String] });
  t.equal(await lines.next(), "202");
  if (child.exitCode === null) await once(child, "exit");
  t.equal(child.exitCode, 0);
});
