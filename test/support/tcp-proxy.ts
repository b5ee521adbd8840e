import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Test } from "tap";

export interface TcpProxy {
  readonly port: number;
  /** Connections taken so far. */
  taken(): number;
  /** Cuts every connection; with `refusing`, and takes no new one until `accept`. */
  cut(refusing?: boolean): void;
  accept(): void;
}

/** A network that can be cut between a client and the port of a server on 127.0.0.1. */
export async function startTcpProxy(t: Test, targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let taken = 0;
  let refusing = false;
  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    taken++;
    const target = connect(targetPort, "127.0.0.1");
    client.pipe(target).pipe(client);
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (thenRefuse = false) => {
    refusing = thenRefuse;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  t.teardown(() => {
    cut();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    taken: () => taken,
    cut,
    accept: () => {
      refusing = false;
    },
  };
}
