import type { Behaviour, ClientKind, ClientPlan } from "./crowd-messages.ts";
import type { Clients } from "./scenario.ts";
import { AUDIENCES, type Tenant } from "./tenants.ts";

/** One in so many listens to orders only. */
const ORDERS_ONLY = 4;

export const USUAL_CLIENTS: Clients = { steady: 40, restless: 20, herd: 0, slow: 0, stalling: 0 };

const BEHAVIOURS: Readonly<Record<ClientKind, Behaviour>> = {
  steady: { kind: "steady" },
  restless: { kind: "restless", stayMs: 2_500, awayMs: 1_000 },
  herd: { kind: "herd" },
  slow: { kind: "slow", bytes: 16 * 1024, pauseMs: 15, longPauseMs: 1_500 },
  stalling: { kind: "slow", bytes: 64 * 1024, pauseMs: 5, longPauseMs: 12_000 },
};

export function planClients(
  counts: Clients,
  { tenants, port, seed }: { readonly tenants: readonly Tenant[]; readonly port: number; readonly seed: number },
): ClientPlan[] {
  const kinds = Object.keys(BEHAVIOURS) as ClientKind[];
  return kinds.flatMap((kind) =>
    Array.from({ length: counts[kind] }, (_, i): ClientPlan => {
      const tenant = tenants[i % tenants.length]!;
      const { endpoints, topics } = AUDIENCES[i % ORDERS_ONLY === 1 ? "orders" : "everything"];
      const streams = [...tenant.streams.keys()].filter((index) => topics.includes(tenant.streams[index]!.topic));
      return {
        ...{ port, seed, endpoints, streams },
        tenant: tenant.number,
        token: tenant.readerToken,
        behaviour: BEHAVIOURS[kind],
        kind,
        name: `${kind} client ${i} of tenant ${tenant.number}`,
      };
    }),
  );
}
