import type { Locator, Page } from "playwright-core";
import t, { type Test } from "tap";
import { openChromium } from "../support/chromium.ts";
import { freePort } from "../support/free-port.ts";
import { startGateway } from "../support/gateway.ts";
import { connectToRedis, newTenant } from "../support/journey.ts";
import { startTestRedis } from "../support/redis.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { addEvent } from "../support/xadd.ts";

const server = await startTestRedis(t);
const redis = connectToRedis(t, server);
const port = await freePort();
const gateway = await startGateway(t, {
  redis: server,
  port,
  env: { RAGLINE_CONSOLE: "true", CORS_ORIGINS: `http://127.0.0.1:${port}` },
});
const browser = await openChromium(t);

interface Panel {
  readonly tenant: string;
  readonly element: Locator;
  part(testid: string): Locator;
}

/** The console with a panel for each of two new tenants, both connected, and what went wrong in the page. */
async function openConsole(t: Test): Promise<{ page: Page; panels: [Panel, Panel]; problems: string[] }> {
  const tenants = [newTenant(), newTenant()];
  const tokens = tenants.map((tenant) => gateway.token({ tenant, user: "alice", roles: ["publisher"] }));
  const page = await browser.newPage();
  t.teardown(() => page.close());
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("requestfailed", (failed) => problems.push(`${failed.method()} ${new URL(failed.url()).pathname} failed`));
  await page.goto(`${gateway.url}/#${tokens.join(",")}`);
  const panels = tenants.map((tenant, index) => panelOf(page, tenant, index + 1)) as [Panel, Panel];
  for (const panel of panels) await isOpen(panel);
  return { page, panels, problems };
}

function panelOf(page: Page, tenant: string, number: number): Panel {
  const element = page.getByTestId(`panel-${number}`);
  return { tenant, element, part: (testid) => element.getByTestId(testid) };
}

async function isOpen({ part }: Panel): Promise<void> {
  await until("the panel to be connected", async () => (await part("state").getAttribute("data-state")) === "open");
}

async function shows(panel: Panel, count: number): Promise<void> {
  await until(`${count} events in the panel`, async () => (await panel.part("event-row").count()) === count);
}

async function press(page: Page, element: Locator, key: string): Promise<void> {
  for (let tabs = 0; tabs < 60; tabs++) {
    if (await element.evaluate((node) => node === node.ownerDocument.activeElement)) return page.keyboard.press(key);
    await page.keyboard.press("Tab");
  }
  throw new Error("the element cannot be reached with the Tab key");
}

t.test("each panel says whose it is, and shows the events of its tenant only", async (t) => {
  const { panels, problems } = await openConsole(t);
  for (const { tenant, part } of panels) t.match(await part("tenant").textContent(), tenant);
  await addEvent(redis, { tenant_id: panels[0].tenant, payload: { text: "<b>for the first</b>" } });
  await addEvent(redis, {
    topic: "system",
    event_type: "system_alert",
    tenant_id: panels[1].tenant,
    payload: "second",
  });
  for (const panel of panels) await shows(panel, 1);
  t.match(await panels[0].part("event-row").textContent(), /order_created.*<b>for the first<\/b>.*orders/s);
  t.match(await panels[1].part("event-row").textContent(), /system_alert.*second.*system/s);
  t.same(problems, []);
});

t.test("Publish event adds one for the panel's tenant, and the other panel stays quiet", async (t) => {
  const { panels, problems } = await openConsole(t);
  const [first, second] = panels;
  await first.part("publish").click();
  await shows(first, 1);
  t.match(await first.part("status").textContent(), /published/i);
  await addEvent(redis, { tenant_id: second.tenant, payload: "marker" });
  await shows(second, 1);
  t.match(await second.part("event-row").textContent(), /marker/);
  t.equal(await first.part("event-row").count(), 1);
  t.same(problems, []);
});

for (const transport of ["ws", "sse"] as const) {
  t.test(`over ${transport} Drop connection misses nothing`, async (t) => {
    const { panels } = await openConsole(t);
    const [panel] = panels;
    await panel.part(`transport-${transport}`).check({ force: true });
    await isOpen(panel);
    await addEvent(redis, { tenant_id: panel.tenant, payload: "before" });
    await shows(panel, 1);
    await panel.part("drop").click();
    await until("to be away", async () => (await panel.part("state").getAttribute("data-state")) !== "open");
    for (const payload of ["away 1", "away 2"]) await addEvent(redis, { tenant_id: panel.tenant, payload });
    await isOpen(panel);
    await shows(panel, 3);
    const texts = await panel.part("event-row").allTextContents();
    for (const [index, payload] of ["away 2", "away 1", "before"].entries()) t.match(texts[index], payload);
    await until("the status to say so", async () =>
      /2 events recovered/.test(String(await panel.part("status").textContent())),
    );
    t.equal(await panel.part("gap-row").count(), 0);
  });
}

t.test("everything can be done with the keyboard alone", async (t) => {
  const { page, panels, problems } = await openConsole(t);
  const [, second] = panels;
  await press(page, second.part("publish"), "Enter");
  await shows(second, 1);
  await press(page, second.part("pause"), "Space");
  t.equal(await second.part("pause").getAttribute("aria-pressed"), "true");
  await addEvent(redis, { tenant_id: second.tenant, payload: "held back" });
  await until("to be told of it", async () => /1 new/.test(String(await second.part("held").textContent())));
  t.equal(await second.part("event-row").count(), 1);
  await press(page, second.part("pause"), "Space");
  await shows(second, 2);
  await press(page, second.part("clear"), "Enter");
  await shows(second, 0);
  await press(page, second.part("drop"), "Enter");
  await until("to be away", async () => (await second.part("state").getAttribute("data-state")) !== "open");
  await isOpen(second);
  t.same(problems, []);
});

t.test("without tokens the page asks for them, and follows those that are pasted", async (t) => {
  const page = await browser.newPage();
  t.teardown(() => page.close());
  await page.goto(`${gateway.url}/`);
  const tenant = newTenant();
  const token = gateway.token({ tenant });
  await page.getByTestId("tokens-input").fill("nonsense");
  await press(page, page.getByTestId("tokens-submit"), "Enter");
  t.not(await page.getByTestId("tokens-error").textContent(), "");
  await page.getByTestId("tokens-input").fill(token);
  await press(page, page.getByTestId("tokens-submit"), "Enter");
  const panel = panelOf(page, tenant, 1);
  await isOpen(panel);
  await addEvent(redis, { tenant_id: tenant, payload: "followed" });
  await shows(panel, 1);
});

t.test("the page and its files may load, run, frame and tell nothing foreign", async (t) => {
  const page = await request(`${gateway.url}/`);
  const files = [...page.text.matchAll(/(?:src|href)="([^"#]+\.(?:js|css))"/g)].map(
    ([, path]) => new URL(path!, `${gateway.url}/`).href,
  );
  t.ok(files.length >= 2);
  for (const { status, headers } of [page, ...(await Promise.all(files.map((url) => request(url))))]) {
    t.equal(status, 200);
    const policy = new Map(
      String(headers["content-security-policy"])
        .split("; ")
        .map((part) => part.split(/ (.*)/s) as [string, string]),
    );
    t.equal(policy.get("default-src"), "'none'");
    for (const kind of ["script-src", "style-src", "connect-src"]) t.equal(policy.get(kind), "'self'", kind);
    for (const kind of ["base-uri", "form-action", "frame-ancestors"]) t.equal(policy.get(kind), "'none'", kind);
    t.notMatch(String(headers["content-security-policy"]), /unsafe|\*|https?:/);
    t.match(headers, {
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
    });
    t.notOk(headers["access-control-allow-origin"]);
  }
});

t.test("the page runs no foreign script and is served with its type", async (t) => {
  const { status, headers, text } = await request(`${gateway.url}/`);
  t.equal(status, 200);
  t.match(headers["content-type"], /^text\/html/);
  t.notMatch(text, /(src|href)="(https?:)?\/\//);
});
