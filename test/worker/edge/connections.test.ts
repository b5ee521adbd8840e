import t from "tap";
import { loadSettings, type Settings } from "../../../src/config.ts";
import { CHANNELS } from "../../../src/protocol/channel.ts";
import { EVERYTHING } from "../../../src/protocol/filter.ts";
import { Connections, type TrackedConnection } from "../../../src/worker/edge/connections.ts";

const TOLERANCE_SECONDS = 5;
const SETTINGS: Settings = {
  ...loadSettings({ JWT_SECRET_KEY: "x".repeat(32), JWT_CLOCK_TOLERANCE: String(TOLERANCE_SECONDS) }),
};

/** A client that keeps what was done to it. */
class Client implements TrackedConnection {
  readonly channel = CHANNELS.sse;
  readonly format = "sse";
  readonly id = "1";
  tokenId: string | undefined;
  readonly room = 1;
  readonly progress = 0;
  readonly hasBacklog = true;
  filter = EVERYTHING;
  isClosed = false;
  isHealthy = true;
  readonly ended: string[] = [];
  readonly tenant: string;
  readonly user: string;
  readonly transport: "sse" | "websocket";
  expiresAt: number;

  constructor(tenant = "acme", user = "u1", transport: "sse" | "websocket" = "sse", expiresAt = 1_000) {
    this.tenant = tenant;
    this.user = user;
    this.transport = transport;
    this.expiresAt = expiresAt;
  }

  end(code: string): void {
    this.ended.push(code);
  }

  cut(): void {
    this.ended.push("cut");
  }

  send(): void {}
  greet(): void {}
  sendGap(): void {}
  sendAway(): void {}
  keepWaiting(): void {}
  sendFrames(): void {}
  async writable(): Promise<void> {}
}

function connect(connections: Connections, ...clients: Client[]): Client[] {
  for (const client of clients) connections.add(client);
  return clients;
}

t.test("no more connections are let in than the limit, until one leaves", async (t) => {
  const connections = new Connections({ ...SETTINGS, maxConnections: 2 });
  const [first] = connect(connections, new Client(), new Client());
  t.ok(connections.isOverloaded());
  connections.remove(first!);
  t.notOk(connections.isOverloaded());
});

t.test("no more connections are let in at once than the rate", async (t) => {
  const connections = new Connections({ ...SETTINGS, connectRate: 3 });
  const admitted = Array.from({ length: 1_000 }, () => connections.isOverloaded()).filter((refused) => !refused).length;
  t.ok(admitted >= 3 && admitted < 1_000);
});

t.test("a connection ends with its token, and the clock tolerance", async (t) => {
  const connections = new Connections(SETTINGS);
  const [early, fraction, late] = connect(
    connections,
    new Client("acme", "u1", "sse", 1_000),
    new Client("acme", "u1", "websocket", 1_000.5),
    new Client("acme", "u1", "sse", 2_000),
  );
  connections.expire(1_000 + TOLERANCE_SECONDS - 1);
  t.strictSame(early!.ended, []);
  connections.expire(1_000 + TOLERANCE_SECONDS);
  t.strictSame([early!.ended, fraction!.ended, late!.ended], [["token_expired"], [], []]);
  connections.remove(early!);
  connections.expire(1_500);
  t.strictSame([early!.ended, fraction!.ended, late!.ended], [["token_expired"], ["token_expired"], []]);
});

t.test("a token that was refreshed moves the end", async (t) => {
  const connections = new Connections(SETTINGS);
  const [client] = connect(connections, new Client());
  connections.extend(client!, () => {
    client!.expiresAt = 2_000;
  });
  connections.expire(1_999);
  t.strictSame(client!.ended, []);
  t.equal(connections.all().size, 1);
  connections.expire(2_000 + TOLERANCE_SECONDS);
  t.strictSame(client!.ended, ["token_expired"]);
});

t.test("connections of which access was revoked end, and the others stay", async (t) => {
  const connections = new Connections(SETTINGS);
  const [anna, bert] = connect(connections, new Client("acme", "anna"), new Client("acme", "bert"));
  t.equal(
    connections.endRevoked(({ user }) => user === "anna"),
    1,
  );
  t.strictSame([anna!.ended, bert!.ended], [["revoked"], []]);
});

t.test("statistics count connections and healthy ones by tenant, user and transport", async (t) => {
  const connections = new Connections(SETTINGS);
  const [unwell, gone] = connect(
    connections,
    new Client("acme", "u1"),
    new Client("acme", "u9"),
    new Client("acme", "u1"),
    new Client("acme", "u2"),
    new Client("globex", "u1", "websocket"),
    new Client("__proto__", "constructor", "websocket"),
  );
  unwell!.isHealthy = false;
  connections.remove(gone!);
  t.strictSame(connections.totals(), { sse: 3, websocket: 2 });
  t.strictSame(connections.statistics(), {
    sse: {
      byUser: [
        ["acme", "u1", 2, 1],
        ["acme", "u2", 1, 1],
      ],
      staleCleaned: [],
    },
    websocket: {
      byUser: [
        ["globex", "u1", 1, 1],
        ["__proto__", "constructor", 1, 1],
      ],
      staleCleaned: [],
    },
  });
});

t.test("connections that were cleaned are counted for their tenant, also once they are gone", async (t) => {
  const connections = new Connections({ ...SETTINGS, stallSeconds: 0 });
  const [silent, stalled] = connect(connections, new Client("acme", "u1", "websocket"), new Client("globex"));
  connections.timedOut(silent!);
  connections.watchBacklog(stalled!);
  connections.cutStalled();
  t.strictSame(stalled!.ended, ["cut"]);
  for (const client of [silent!, stalled!]) connections.remove(client);
  const { sse, websocket } = connections.statistics();
  t.strictSame(
    [sse, websocket],
    [
      { byUser: [], staleCleaned: [["globex", 1]] },
      { byUser: [], staleCleaned: [["acme", 1]] },
    ],
  );
});
