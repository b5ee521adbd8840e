import t from "tap";
import { CHANNELS, type Channel, channelTopics } from "../../src/protocol/channel.ts";

const TOPICS = ["orders", "notifications", "system"];
const channels: Channel[] = Object.values(CHANNELS);

t.test("each path has its transport and heartbeat", async (t) => {
  t.strictSame(
    channels.map(({ transport, path, heartbeatSeconds }) => [transport, path, heartbeatSeconds]),
    [
      ["sse", "/stream", 30],
      ["sse", "/stream/orders", 45],
      ["sse", "/stream/notifications", 60],
      ["websocket", "/ws", 30],
      ["websocket", "/ws/orders", 45],
    ],
  );
  t.equal(new Set(channels.map(({ name }) => name)).size, channels.length, "and a name of its own");
});

t.test("the general paths read every topic, the others those they are named after", async (t) => {
  t.strictSame(channelTopics(CHANNELS.sse, TOPICS), TOPICS);
  t.strictSame(channelTopics(CHANNELS.ws, TOPICS), TOPICS);
  t.strictSame(channelTopics(CHANNELS.sseOrders, TOPICS), ["orders"]);
  t.strictSame(channelTopics(CHANNELS.wsOrders, TOPICS), ["orders"]);
  t.strictSame(channelTopics(CHANNELS.sseNotifications, TOPICS), TOPICS);
});

t.test("a path reads only topics the gateway reads, in the gateway's order", async (t) => {
  t.strictSame(channelTopics(CHANNELS.sseNotifications, ["system", "audit", "orders"]), ["system", "orders"]);
  t.strictSame(channelTopics(CHANNELS.sseOrders, ["audit"]), []);
  t.strictSame(channelTopics(CHANNELS.sse, ["audit"]), ["audit"]);
});

t.test("the general paths admit every type", async (t) => {
  const general: Channel[] = [CHANNELS.sse, CHANNELS.ws];
  for (const { admits } of general)
    for (const type of ["order_created", "x", "*", "__proto__"]) t.ok(admits(type), type);
});

t.test("the order paths admit what starts with order", async (t) => {
  for (const { admits } of [CHANNELS.sseOrders, CHANNELS.wsOrders]) {
    for (const type of ["order", "order_created", "orders_merged", "order.x"]) t.ok(admits(type), type);
    for (const type of ["", "reorder", "Order_created", "payment_processed", " order"]) t.notOk(admits(type), type);
  }
});

t.test("the notification path admits the six types of notifications", async (t) => {
  const { admits } = CHANNELS.sseNotifications;
  const orders = ["order_created", "order_completed", "order_failed"];
  for (const type of [...orders, "payment_processed", "notification", "system_alert"]) t.ok(admits(type), type);
  for (const type of ["order_updated", "notification_x", "payment", "constructor", ""]) t.notOk(admits(type), type);
});

t.test("a WebSocket on orders starts subscribed to four types, all others to everything", async (t) => {
  const initial = ["order_created", "order_updated", "order_completed", "order_failed"];
  t.strictSame(CHANNELS.wsOrders.initialSubscriptions, initial);
  for (const channel of channels.filter((channel) => channel !== CHANNELS.wsOrders)) {
    t.strictSame(channel.initialSubscriptions, [], channel.name);
  }
});

t.test("events are named after their path on WebSocket, and greetings after theirs", async (t) => {
  t.equal(CHANNELS.ws.messageType, "event");
  t.equal(CHANNELS.wsOrders.messageType, "order_event");
  t.strictSame(
    channels.map(({ label }) => label),
    [undefined, "orders", "notifications", undefined, "orders"],
  );
});
