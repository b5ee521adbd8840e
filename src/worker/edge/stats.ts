import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import type { TransportCounts, WorkerStatistics } from "../../protocol/control.js";
import type { Identity } from "../../protocol/identity.js";
import type { GatewayStatistics, TransportStatistics } from "../../protocol/websocket.js";
import { authorize } from "./authorize.js";
import { type EdgeContext, refuse } from "./context.js";
import { snapshot } from "./request.js";
import { respondJson, toRefusal } from "./respond.js";

/** `GET /ws/stats`. */
export function statsHandler(context: EdgeContext) {
  const { services, origins } = context;
  return async (response: HttpResponse, request: HttpRequest): Promise<void> => {
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
    });
    const asked = snapshot(request);
    try {
      origins.check(asked.origin);
      const identity = await authorize(asked, services.authenticate);
      const statistics = gatewayStatistics(await services.statistics(), identity);
      if (!aborted) respondJson(response, 200, origins.headers(asked.origin), statistics);
    } catch (error) {
      const refusal = toRefusal(error, (defect) => services.log.error({ err: defect }, "statistics failed"));
      if (!aborted) refuse(context, response, refusal, asked.origin);
    }
  };
}

/** Sums up all workers. Who is not an admin sees the own tenant only. */
export function gatewayStatistics(
  workers: readonly WorkerStatistics[],
  { tenant, roles }: Pick<Identity, "tenant" | "roles">,
): GatewayStatistics {
  const sees = roles.includes("admin") ? () => true : (other: string) => other === tenant;
  return {
    websocket_stats: sumUp(
      workers.map(({ websocket }) => websocket),
      sees,
    ),
    sse_stats: sumUp(
      workers.map(({ sse }) => sse),
      sees,
    ),
    timestamp: new Date().toISOString(),
  };
}

function sumUp(counts: readonly TransportCounts[], sees: (tenant: string) => boolean): TransportStatistics {
  const byTenant = new Map<string, number>();
  const byUser = new Map<string, number>();
  let total = 0;
  let healthy = 0;
  for (const [tenant, user, connections, healthyOfUser] of counts.flatMap(({ byUser }) => byUser)) {
    if (!sees(tenant)) continue;
    byTenant.set(tenant, (byTenant.get(tenant) ?? 0) + connections);
    byUser.set(user, (byUser.get(user) ?? 0) + connections);
    total += connections;
    healthy += healthyOfUser;
  }
  const cleaned = counts.flatMap(({ staleCleaned }) => staleCleaned).filter(([tenant]) => sees(tenant));
  return {
    total_connections: total,
    connections_by_tenant: Object.fromEntries(byTenant),
    connections_by_user: Object.fromEntries(byUser),
    healthy_connections: healthy,
    stale_connections_cleaned: cleaned.reduce((sum, [, connections]) => sum + connections, 0),
  };
}
