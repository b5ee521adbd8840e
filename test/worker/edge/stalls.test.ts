import t from "tap";
import { type Backlogged, Stalls } from "../../../src/worker/edge/stalls.ts";

const STALL_SECONDS = 30;

class Client implements Backlogged {
  isClosed = false;
  hasBacklog = true;
  progress = 0;
  nudges = 0;

  keepWaiting(): void {
    this.nudges++;
  }
}

function watchOne() {
  const stalled: Client[] = [];
  const stalls = new Stalls<Client>(STALL_SECONDS, (client) => stalled.push(client));
  const client = new Client();
  stalls.watch(client, 100);
  return { stalls, client, stalled };
}

t.test("who takes nothing for that long is stalled, once", async (t) => {
  const { stalls, client, stalled } = watchOne();
  stalls.check(100 + STALL_SECONDS - 1);
  t.strictSame(stalled, []);
  t.equal(client.nudges, 1, "until then it is kept");
  stalls.check(100 + STALL_SECONDS);
  t.strictSame(stalled, [client]);
  stalls.check(100 + 3 * STALL_SECONDS);
  t.equal(stalled.length, 1);
});

t.test("who takes a little has its time anew", async (t) => {
  const { stalls, client, stalled } = watchOne();
  for (let second = 120; second <= 400; second += 20) {
    client.progress++;
    stalls.check(second);
  }
  t.strictSame(stalled, []);
  stalls.check(400 + STALL_SECONDS);
  t.strictSame(stalled, [client]);
});

t.test("who is watched a second time does not win time by it", async (t) => {
  const { stalls, client, stalled } = watchOne();
  stalls.watch(client, 129);
  stalls.check(130);
  t.strictSame(stalled, [client]);
});

t.test("who caught up or closed is watched no more, until there is something unsent again", async (t) => {
  const { stalls, client, stalled } = watchOne();
  const closed = new Client();
  stalls.watch(closed, 100);
  client.hasBacklog = false;
  closed.isClosed = true;
  stalls.check(110);
  client.hasBacklog = true;
  stalls.check(1_000);
  t.strictSame(stalled, []);
  stalls.watch(client, 1_000);
  stalls.check(1_000 + STALL_SECONDS);
  t.strictSame(stalled, [client]);
});
