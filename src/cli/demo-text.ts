import { relative } from "node:path";
import { fileURLToPath } from "node:url";

export interface DemoTenant {
  readonly tenant: string;
  readonly token: string;
}

/** What the demo prints once it runs. */
export function demoText(base: string, tenants: readonly DemoTenant[], redis: string): string {
  const tokens = tenants.map(({ token }) => token).join(",");
  return `
Ragline Gateway is running on ${base} (Redis: ${redis}).

Console, open it in a browser:
  ${base}/#${tokens}
${tenants.map((tenant) => tenantText(base, tenant)).join("")}
Ctrl-C ends the demo.`;
}

function tenantText(base: string, { tenant, token }: DemoTenant): string {
  const tail = `node ${relative(process.cwd(), fileURLToPath(new URL("./main.js", import.meta.url)))} tail`;
  const event = `{"topic":"orders","event_type":"order_created","payload":{"order_id":"A-1"}}`;
  return `
Token of tenant ${tenant}:
  ${token}
SSE:
  curl -N -H 'Authorization: Bearer ${token}' ${base}/stream
WebSocket:
  ${tail} --ws --url ${base} --token ${token}
  websocat '${base.replace(/^http/, "ws")}/ws?token=${token}'
Publish:
  curl -H 'Authorization: Bearer ${token}' -d '${event}' ${base}/publish
`;
}
