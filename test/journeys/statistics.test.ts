import t from "tap";
import { follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { onBothWorkers } from "../support/on-both-workers.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { openWs } from "../support/ws-client.ts";

interface Transport {
  readonly total_connections: number;
  readonly connections_by_tenant: Readonly<Record<string, number>>;
  readonly connections_by_user: Readonly<Record<string, number>>;
  readonly healthy_connections: number;
  readonly stale_connections_cleaned: number;
}

interface Statistics {
  readonly websocket_stats: Transport;
  readonly sse_stats: Transport;
  readonly timestamp: string;
}

const { gateway } = await startJourney(t);

async function statistics(token: string): Promise<Statistics> {
  const { status, json, text } = await request(`${gateway.url}/ws/stats`, { token });
  if (status !== 200) throw new Error(`${status}: ${text}`);
  return json as Statistics;
}

/** Waits until the numbers of both transports, on whichever worker is asked, are these. */
async function untilTotals(token: string, websocket: number, sse: number): Promise<Statistics> {
  let last: Statistics | undefined;
  const arrived = async () => {
    last = await statistics(token);
    const totals = [last.websocket_stats.total_connections, last.sse_stats.total_connections];
    return totals[0] === websocket && totals[1] === sse && last;
  };
  return until(`${websocket} WebSockets and ${sse} event streams`, arrived).catch((error: Error) => {
    throw new Error(`${error.message}; last: ${JSON.stringify(last)}`);
  });
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((total, n) => total + n, 0);

t.test("the answer has the shape clients know", async (t) => {
  const answer = await statistics(gateway.token({ tenant: newTenant() }));
  t.same(Object.keys(answer).sort(), ["sse_stats", "timestamp", "websocket_stats"]);
  for (const transport of [answer.websocket_stats, answer.sse_stats]) {
    t.same(transport, {
      total_connections: 0,
      connections_by_tenant: transport.connections_by_tenant,
      connections_by_user: {},
      healthy_connections: 0,
      stale_connections_cleaned: 0,
    });
    t.equal(sum(transport.connections_by_tenant), 0);
  }
  t.notOk(Number.isNaN(Date.parse(answer.timestamp)));
});

t.test("connections of both workers are counted, each tenant sees its own, an admin all", async (t) => {
  const [acme, globex] = [newTenant(), newTenant()];
  const tokens = {
    anna: gateway.token({ tenant: acme, user: "anna" }),
    bert: gateway.token({ tenant: acme, user: "bert" }),
    gus: gateway.token({ tenant: globex, user: "gus" }),
    admin: gateway.token({ tenant: newTenant(), roles: ["admin"] }),
  };
  const annas = await onBothWorkers(() => follow(t, gateway, "/ws", { token: tokens.anna }));
  const berts = await onBothWorkers(() => follow(t, gateway, "/stream", { token: tokens.bert }));
  await Promise.all([1, 2, 3].map(() => follow(t, gateway, "/ws/orders", { token: tokens.gus })));

  const own = await untilTotals(tokens.anna, 32, 32);
  t.same(own.websocket_stats.connections_by_tenant, { [acme]: 32 });
  t.same(own.sse_stats.connections_by_tenant, { [acme]: 32 });
  t.equal(sum(own.websocket_stats.connections_by_user), 32);
  t.equal(sum(own.sse_stats.connections_by_user), 32);
  t.equal(own.websocket_stats.healthy_connections, 32);
  t.notOk(JSON.stringify(own).includes(globex) || JSON.stringify(own).includes("gus"), "nothing of the other tenant");

  const others = await untilTotals(tokens.gus, 3, 0);
  t.same(others.websocket_stats.connections_by_tenant, { [globex]: 3 });
  t.notOk(JSON.stringify(others).includes(acme) || JSON.stringify(others).includes("anna"));

  const all = await untilTotals(tokens.admin, 35, 32);
  t.match(all.websocket_stats.connections_by_tenant, { [acme]: 32, [globex]: 3 });
  t.match(all.sse_stats.connections_by_tenant, { [acme]: 32 });
  t.equal(sum(all.websocket_stats.connections_by_user), 35);

  for (const follower of [...annas.slice(0, 30), ...berts]) follower.cut();
  await untilTotals(tokens.bert, 2, 0);
  await untilTotals(tokens.admin, 5, 0);
});

t.test("get_stats sends the same numbers", async (t) => {
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  await onBothWorkers(() => follow(t, gateway, "/stream", { token }));
  const client = await openWs(t, `${gateway.url}/ws`, { token });
  await client.next();
  const { timestamp: _, ...numbers } = await untilTotals(token, 1, 32);
  client.send({ type: "get_stats" });
  const { data } = await client.next();
  const { timestamp: __, ...sent } = data as Statistics;
  t.same(sent, numbers);
  t.notOk(JSON.stringify(data).includes("tenant-") && !JSON.stringify(data).includes(tenant));
});

t.test("tenants and users with the names of JavaScript's own properties are counted", async (t) => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    const token = gateway.token({ tenant: name, user: name });
    await Promise.all([1, 2].map(() => follow(t, gateway, "/stream", { token })));
    const { sse_stats } = await untilTotals(token, 0, 2);
    t.same(Object.entries(sse_stats.connections_by_tenant), [[name, 2]]);
    t.same(Object.values(sse_stats.connections_by_user), [2]);
  }
});

t.test("a user's connections of several tenants are not mixed up", async (t) => {
  const [acme, globex] = [newTenant(), newTenant()];
  const [inAcme, inGlobex] = [acme, globex].map((tenant) => gateway.token({ tenant, user: "same" }));
  await follow(t, gateway, "/ws", { token: inAcme! });
  await Promise.all([1, 2].map(() => follow(t, gateway, "/ws", { token: inGlobex! })));
  t.equal(sum((await untilTotals(inAcme!, 1, 0)).websocket_stats.connections_by_user), 1);
  t.equal(sum((await untilTotals(inGlobex!, 2, 0)).websocket_stats.connections_by_user), 2);
});
