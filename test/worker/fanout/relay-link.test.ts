import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { RelayLink } from "../../../src/worker/fanout/relay-link.ts";
import { turns } from "../../support/turns.ts";
import { until } from "../../support/until.ts";

/** More than the kernel takes for a reader that does not read. */
const A_LOT = 8 * 1024 * 1024;

/** The other end: a server that keeps what it was sent, and reads only when it is told to. */
class Sibling {
  readonly server: Server;
  readonly sockets: Socket[] = [];
  readonly #chunks: Buffer[] = [];

  constructor() {
    this.server = createServer({ pauseOnConnect: true }, (socket) => {
      this.sockets.push(socket);
      socket.on("data", (chunk) => this.#chunks.push(chunk));
      socket.on("error", () => {});
    });
  }

  async listen(path: string): Promise<void> {
    this.server.listen(path);
    await once(this.server, "listening");
  }

  read(): void {
    for (const socket of this.sockets) socket.resume();
  }

  get heard(): string {
    return Buffer.concat(this.#chunks).toString();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

interface Way {
  readonly path: string;
  readonly sibling: Sibling;
  /** One more link to the same place, and what it called. */
  open(): { link: RelayLink; calls: string[] };
}

async function openWay(t: Test): Promise<Way> {
  const directory = await mkdtemp(join(tmpdir(), "ragline-link-"));
  const sibling = new Sibling();
  const links: RelayLink[] = [];
  t.teardown(async () => {
    for (const link of links) link.close();
    sibling.close();
    await rm(directory, { recursive: true, force: true });
  });
  const path = join(directory, "1.sock");
  const open = () => {
    const calls: string[] = [];
    const link: RelayLink = new RelayLink({
      socketPath: path,
      greeting: () => [text("hello "), text("I am new ")],
      onConnected: () => {
        calls.push("connected");
        void link.send(text("that was it "));
      },
      onLost: () => calls.push("lost"),
    });
    links.push(link);
    return { link, calls };
  };
  return { path, sibling, open };
}

/** A way with a sibling at its end, and a link that is connected. */
async function connected(t: Test) {
  const way = await openWay(t);
  await way.sibling.listen(way.path);
  const opened = way.open();
  await until("the connection", () => way.sibling.sockets.length === 1 && opened.calls.length === 1);
  return { ...way, ...opened };
}

t.test(
  "it keeps trying until the sibling is there; the greeting comes first, then what waited, in order",
  async (t) => {
    const { path, sibling, open } = await openWay(t);
    const { link, calls } = open();
    const sent = ["one ", "two ", "three "].map((word) => link.send(text(word)));
    t.equal(await Promise.race([Promise.all(sent), turns(20)]), "waiting");
    await sibling.listen(path);
    await Promise.all(sent);
    await link.send(text("four"));
    sibling.read();
    await until("everything", () => sibling.heard.endsWith("four"));
    t.equal(sibling.heard, "hello I am new one two three that was it four");
    t.equal(sibling.sockets.length, 1);
    t.strictSame(calls, ["connected"]);
  },
);

t.test("what is sent is done once the kernel has it, and not before", async (t) => {
  const { link, sibling } = await connected(t);
  await link.send(text("little"));
  const large = link.send(new Uint8Array(A_LOT));
  const behind = link.send(text("behind"));
  t.equal(await Promise.race([large, behind, turns(20)]), "waiting");
  sibling.read();
  await Promise.all([large, behind]);
  await until("everything", () => sibling.heard.endsWith("behind"));
});

t.test("a link that broke is lost once, holds nobody up, and does not come back", async (t) => {
  const { link, calls, sibling, open } = await connected(t);
  const large = link.send(new Uint8Array(A_LOT));
  for (const socket of sibling.sockets) socket.destroy();
  await large;
  await until("the loss", () => calls.includes("lost"));
  await link.send(text("too late"));
  const after = open();
  await until("a connection that is tried for later", () => after.calls.includes("connected"));
  t.equal(sibling.sockets.length, 2, "only the new one came");
  t.strictSame(calls, ["connected", "lost"]);
});

t.test("what was in the kernel when the sender died still arrives, to its end", async (t) => {
  const { link, sibling } = await connected(t);
  const ended = once(sibling.sockets[0]!, "close");
  await link.send(text("x".repeat(50_000)));
  await link.send(text("last word"));
  link.close();
  sibling.read();
  await ended;
  t.ok(sibling.heard.endsWith("last word"));
});

t.test("a link that is closed is not lost, and all that was sent on it is over", async (t) => {
  const { link, calls, sibling } = await connected(t);
  const large = link.send(new Uint8Array(A_LOT));
  const ended = once(sibling.sockets[0]!, "close");
  link.close();
  await large;
  await link.send(text("too late"));
  sibling.read();
  await ended;
  await turns(20);
  t.strictSame(calls, ["connected"]);
  link.close();
});

t.test("a link that is closed before it is connected stops trying", async (t) => {
  const { path, sibling, open } = await openWay(t);
  const [closed, other] = [open(), open()];
  const sent = closed.link.send(text("never"));
  closed.link.close();
  await sent;
  // The other one failed after it, and so tries again after it would.
  await turns(20);
  await sibling.listen(path);
  await until("the other one", () => other.calls.includes("connected"));
  await other.link.send(text("here"));
  sibling.read();
  await until("what it sent", () => sibling.heard.endsWith("here"));
  t.equal(sibling.sockets.length, 1);
  t.strictSame(closed.calls, []);
});

t.test("a link may be closed between two attempts", async (t) => {
  const { path, sibling, open } = await openWay(t);
  const [closed, other] = [open(), open()];
  await turns(20);
  closed.link.close();
  await sibling.listen(path);
  await until("the other one", () => other.calls.includes("connected") && sibling.sockets.length > 0);
  t.equal(sibling.sockets.length, 1);
  t.strictSame(closed.calls, []);
});

function text(words: string): Uint8Array {
  return new TextEncoder().encode(words);
}
