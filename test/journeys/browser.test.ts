import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import t, { type Test } from "tap";
import { openChromium } from "../support/chromium.ts";
import { forgeToken, inSeconds } from "../support/forge-token.ts";
import { startGateway } from "../support/gateway.ts";
import { connectToRedis, newTenant } from "../support/journey.ts";
import { startTestRedis } from "../support/redis.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { addEvent } from "../support/xadd.ts";

/** An empty page of an origin of its own. */
async function servePage(t: Test): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html").end("<!doctype html><title>A page</title>");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close().closeAllConnections());
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

const server = await startTestRedis(t);
const redis = connectToRedis(t, server);
const [origin, otherOrigin] = [await servePage(t), await servePage(t)];
const gateway = await startGateway(t, { redis: server, env: { CORS_ORIGINS: origin } });
const network = await startTcpProxy(t, gateway.port);
const browser = await openChromium(t);
const url = `http://127.0.0.1:${network.port}`;

async function openPage(at = origin): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(at);
  return page;
}

/** What the page's own clients saw, in the page's global `seen`. */
const seen = (page: Page) => page.evaluate(() => (globalThis as unknown as { seen: unknown[] }).seen);

async function untilSeen(page: Page, count: number): Promise<unknown[]> {
  await page.waitForFunction((n) => (globalThis as unknown as { seen: unknown[] }).seen.length >= n, count);
  return seen(page);
}

function followWithEventSource(address: string): Promise<void> {
  const seen: unknown[] = [];
  const source = new EventSource(address);
  Object.assign(globalThis, { seen, source });
  for (const type of ["order_created", "reconnect"]) {
    source.addEventListener(type, ({ data }) => seen.push(JSON.parse(data)));
  }
  return new Promise((resolve, reject) => {
    source.addEventListener("connected", () => resolve());
    source.onerror = () => source.readyState === EventSource.CLOSED && reject(new Error("refused"));
  });
}

t.test("EventSource of a browser gets events, and what it missed after a cut", async (t) => {
  const tenant = newTenant();
  const page = await openPage();
  await page.evaluate(followWithEventSource, `${url}/stream?token=${gateway.token({ tenant })}`);
  for (const n of [1, 2]) await addEvent(redis, { tenant_id: tenant, payload: n });
  t.same(await untilSeen(page, 2), [1, 2]);
  network.cut(true);
  for (const n of [3, 4]) await addEvent(redis, { tenant_id: tenant, payload: n });
  network.accept();
  t.same(await untilSeen(page, 4), [1, 2, 3, 4]);
  await addEvent(redis, { tenant_id: tenant, payload: 5 });
  t.same(await untilSeen(page, 5), [1, 2, 3, 4, 5]);
  await page.close();
});

t.test("EventSource of an origin that is not allowed gets nothing", async (t) => {
  const page = await openPage(otherOrigin);
  const address = `${url}/stream?token=${gateway.token({ tenant: newTenant() })}`;
  await t.rejects(page.evaluate(followWithEventSource, address), /refused/);
  await page.close();
});

interface SocketEnd {
  readonly opened: boolean;
  readonly messages: { readonly type: string; readonly code?: string }[];
  readonly code: number;
}

/** Follows a WebSocket to its end. */
function endOfWebSocket({ address, protocols }: { address: string; protocols: string[] }): Promise<SocketEnd> {
  const socket = new WebSocket(address, protocols);
  const messages: SocketEnd["messages"] = [];
  let opened = false;
  socket.onopen = () => {
    opened = true;
  };
  socket.onmessage = ({ data }) => messages.push(JSON.parse(data));
  return new Promise((resolve) => {
    socket.onclose = ({ code }) => resolve({ opened, messages, code });
  });
}

const wsAddress = `${url.replace("http", "ws")}/ws`;

/** Collects messages in the page's global `seen`; resolves with the subprotocol at the first. */
function collectFromWebSocket({ address, protocols }: { address: string; protocols: string[] }): Promise<string> {
  const seen: unknown[] = [];
  const socket = new WebSocket(address, protocols);
  Object.assign(globalThis, { seen, socket });
  return new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => {
      seen.push(JSON.parse(data));
      resolve(socket.protocol);
    };
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
  });
}

t.test("WebSocket of a browser takes its token as a subprotocol and gets events", async (t) => {
  const tenant = newTenant();
  const page = await openPage();
  const protocols = ["ragline.json.v1", `ragline.bearer.${gateway.token({ tenant })}`];
  t.equal(await page.evaluate(collectFromWebSocket, { address: wsAddress, protocols }), "ragline.json.v1");
  for (const n of [1, 2]) await addEvent(redis, { tenant_id: tenant, payload: n });
  t.match(await untilSeen(page, 3), [{ type: "connected" }, { type: "event", data: 1 }, { type: "event", data: 2 }]);
  await page.close();
});

t.test("a page can see why its WebSocket was refused", async (t) => {
  const page = await openPage();
  const expired = gateway.watch(forgeToken(gateway.secret, { tenant_id: "a", user_id: "u", exp: inSeconds(-60) }));
  for (const [protocols, code, close] of [
    [["ragline.json.v1"], "auth_required", 1008],
    [["ragline.json.v1", "ragline.bearer.nonsense"], "token_invalid", 1008],
    [["ragline.json.v1", `ragline.bearer.${expired}`], "token_expired", 4401],
  ] as const) {
    const end = await page.evaluate(endOfWebSocket, { address: wsAddress, protocols: [...protocols] });
    t.match(end, { opened: true, messages: [{ type: "error", code }], code: close });
  }
  await page.close();
});

t.test("WebSocket of an origin that is not allowed is not opened", async (t) => {
  const page = await openPage(otherOrigin);
  const address = `${wsAddress}?token=${gateway.token({ tenant: newTenant() })}`;
  const end = await page.evaluate(endOfWebSocket, { address, protocols: [] });
  t.match(end, { opened: false, messages: [], code: 1006 });
  await page.close();
});

t.test("a page publishes with fetch, and reads why it may not", async (t) => {
  const page = await openPage();
  const publish = (token: string) =>
    page.evaluate(
      async ({ address, token }) => {
        const response = await fetch(address, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify({ topic: "orders", event_type: "order_created", payload: 1 }),
        });
        return { status: response.status, body: await response.json() };
      },
      { address: `${url}/publish`, token },
    );
  const tenant = newTenant();
  t.match(await publish(gateway.token({ tenant, roles: ["publisher"] })), { status: 202, body: { ids: [String] } });
  t.match(await publish(gateway.token({ tenant })), { status: 403, body: { error: { code: "forbidden" } } });
  t.match(await publish("nonsense"), { status: 401, body: { error: { code: "token_invalid" } } });
  await page.close();
});
