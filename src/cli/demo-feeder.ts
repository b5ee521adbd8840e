import { setTimeout as delay } from "node:timers/promises";
import type { EventToPublish, Publisher } from "../publisher/index.js";

interface Feeder {
  stop(): Promise<void>;
}

type DemoEvent = Omit<EventToPublish, "tenant_id">;

/** Milliseconds between two events. */
const PERIOD_MS = 250;
const CUSTOMERS = ["Ada Lovelace", "Grace Hopper", "Konrad Zuse", "Radia Perlman"];
const GOODS = ["keyboard", "monitor", "desk lamp", "headphones", "webcam"];
const ALERTS = ["Disk space below 20 %", "Payment provider slow", "Backup finished"];
const FAILS_EVERY = 7;
const ALERT_EVERY = 3;

/** Publishes the life of orders, some notifications and alerts, for each tenant in turn, until it is stopped. */
export function startFeeder(
  publisher: Publisher,
  users: readonly { tenant: string; user: string }[],
  log: (line: string) => void,
): Feeder {
  const ending = new AbortController();
  const lives = users.map(({ tenant, user }) => ({ tenant, events: ordersOf(tenant, user) }));
  let isFailing = false;

  async function feed(): Promise<void> {
    for (let turn = 0; !ending.signal.aborted; turn++) {
      const { tenant, events } = lives[turn % lives.length]!;
      const event = events.next().value;
      try {
        await publisher.publish({ ...event, payload: { ...event.payload, published_at: now() }, tenant_id: tenant });
        isFailing = false;
      } catch (error) {
        if (!isFailing) log(`The feeder cannot publish: ${(error as Error).message}`);
        isFailing = true;
      }
      await delay(PERIOD_MS, undefined, { signal: ending.signal }).catch(() => {});
    }
  }

  const feeding = feed();
  return {
    stop: async () => {
      ending.abort();
      await feeding;
    },
  };
}

function* ordersOf(tenant: string, user: string): Generator<DemoEvent & { payload: object }, never> {
  for (let count = 0; ; count++) {
    const quantity = 1 + (count % 3);
    const order = {
      order_id: `${tenant}-${1001 + count}`,
      customer: CUSTOMERS[count % CUSTOMERS.length],
      items: [{ product: GOODS[count % GOODS.length], quantity }],
      total: Math.round(100 * quantity * (19.9 + 7.35 * (count % 20))) / 100,
      currency: "EUR",
    };
    const { order_id, total, currency } = order;
    const failed = count % FAILS_EVERY === FAILS_EVERY - 1;
    yield { topic: "orders", event_type: "order_created", payload: { ...order, status: "created" } };
    if (failed) {
      const reason = "payment declined";
      yield { topic: "orders", event_type: "order_failed", payload: { ...order, status: "failed", reason } };
    } else {
      yield { topic: "orders", event_type: "payment_processed", payload: { order_id, amount: total, currency } };
      yield { topic: "orders", event_type: "order_updated", payload: { ...order, status: "shipped" } };
      yield { topic: "orders", event_type: "order_completed", payload: { ...order, status: "completed" } };
    }
    const text = `Order ${order_id} has ${failed ? "failed" : "arrived"}`;
    yield {
      topic: "notifications",
      event_type: "notification",
      payload: { title: "Your order", text },
      target_user_id: user,
    };
    if (count % ALERT_EVERY === ALERT_EVERY - 1) {
      const message = ALERTS[Math.floor(count / ALERT_EVERY) % ALERTS.length];
      yield { topic: "system", event_type: "system_alert", payload: { level: "info", message } };
    }
  }
}

function now(): string {
  return new Date().toISOString();
}
