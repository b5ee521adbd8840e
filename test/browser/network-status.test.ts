import t from "tap";
import { watchNetwork } from "../../src/browser/network-status.ts";

t.test("without a browser there is always a network", async (t) => {
  t.equal(watchNetwork("example.com", () => {}, {}).isOnline(), true);
});

t.test("a gateway on this machine needs no network", async (t) => {
  const offline = { navigator: { onLine: false } };
  for (const hostname of ["localhost", "demo.localhost", "127.0.0.1", "[::1]"]) {
    t.equal(watchNetwork(hostname, () => {}, offline).isOnline(), true, hostname);
  }
  for (const hostname of ["example.com", "localhost.example.com", "10.0.0.1"]) {
    t.equal(watchNetwork(hostname, () => {}, offline).isOnline(), false, hostname);
  }
});

t.test("changes are told until it is stopped", async (t) => {
  const scope = new EventTarget();
  const changes: boolean[] = [];
  const status = watchNetwork("example.com", (online) => changes.push(online), scope);
  scope.dispatchEvent(new Event("offline"));
  scope.dispatchEvent(new Event("online"));
  status.stop();
  scope.dispatchEvent(new Event("offline"));
  t.same(changes, [false, true]);
});
