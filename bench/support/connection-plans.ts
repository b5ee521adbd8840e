import type { ConnectionPlan } from "./load-messages.ts";

/** As the next event of a connection that must get none. */
export const NOTHING = Number.MAX_SAFE_INTEGER;

/** So many connections to one port, one tenant after the other. @param transports taken in turn */
export function planConnections(options: {
  readonly port: number;
  readonly count: number;
  readonly transports: readonly ConnectionPlan["transport"][];
  readonly tenants?: number;
  readonly firstTenant?: number;
  readonly token: (tenant: number) => string;
  /** Number of the first event expected. */
  readonly next?: number;
  readonly query?: string;
}): ConnectionPlan[] {
  const { port, count, transports, tenants = 1, firstTenant = 0, token, next = 0, query = "" } = options;
  const tokens = Array.from({ length: tenants }, (_, i) => token(firstTenant + i));
  return Array.from({ length: count }, (_, i) => {
    const transport = transports[Math.floor(i / tenants) % transports.length]!;
    const tenant = i % tenants;
    const path = transport === "sse" ? `/stream${query}` : `/ws${query}`;
    return { port, transport, path, token: tokens[tenant]!, tenant: firstTenant + tenant, next };
  });
}
