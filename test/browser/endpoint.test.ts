import t from "tap";
import { endpointUrl, gatewayUrl, transportsOf } from "../../src/browser/endpoint.ts";

t.test("the base may have a prefix, with or without a slash at its end", async (t) => {
  for (const base of ["https://host:8443/v1/events", "https://host:8443/v1/events/"]) {
    t.equal(endpointUrl(gatewayUrl(base), "sse", "all", undefined, undefined), "https://host:8443/v1/events/stream");
  }
});

t.test("a WebSocket is as secure as the base", async (t) => {
  t.equal(endpointUrl(gatewayUrl("http://host"), "ws", "all", undefined, undefined), "ws://host/ws");
  t.equal(endpointUrl(gatewayUrl("https://host"), "ws", "orders", undefined, undefined), "wss://host/ws/orders");
});

t.test("a query or fragment of the base is left out", async (t) => {
  t.equal(
    endpointUrl(gatewayUrl("http://host/?a=b#token"), "sse", "notifications", undefined, undefined),
    "http://host/stream/notifications",
  );
});

t.test("types are escaped one by one, and no type at all means every type", async (t) => {
  const url = (types: string[]) => endpointUrl(gatewayUrl("http://host"), "sse", "orders", types, undefined);
  t.equal(url(["order_*", "a&b"]), "http://host/stream/orders?types=order_*,a%26b");
  t.equal(url([]), "http://host/stream/orders?types=*");
});

t.test("an id goes as it is", async (t) => {
  t.equal(
    endpointUrl(gatewayUrl("http://host"), "ws", "all", undefined, "Az09._~-"),
    "ws://host/ws?last_event_id=Az09._~-",
  );
});

t.test("every channel has SSE, and all but notifications WebSocket first", async (t) => {
  t.same(transportsOf("all"), ["ws", "sse"]);
  t.same(transportsOf("orders"), ["ws", "sse"]);
  t.same(transportsOf("notifications"), ["sse"]);
});
