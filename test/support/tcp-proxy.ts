import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** Connections taken so far. */
  taken(): number;
  /** Cuts every connection; with `refusing`, and takes no new one until `accept`. */
  cut(refusing?: boolean): void;
  accept(): void;
  /** Connections, also new ones until `thaw`, stay open and carry nothing, for ever: half-open ones. */
  freeze(): void;
  thaw(): void;
  /** New connections are led to another port. */
  leadTo(targetPort: number): void;
}

/** What ends the proxy, like a test. */
export interface ProxyOwner {
  teardown(end: () => void): unknown;
}

/** A network that can be cut between a client and the port of a server on 127.0.0.1. */
export async function startTcpProxy(owner: ProxyOwner, targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let taken = 0;
  let refusing = false;
  let freezing = false;
  let target = targetPort;
  const keep = (socket: Socket, onClose: () => void) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      onClose();
    });
  };
  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    taken++;
    if (freezing) {
      keep(client, () => {});
      client.resume();
      return;
    }
    const onward = connect(target, "127.0.0.1");
    client.pipe(onward).pipe(client);
    keep(client, () => onward.destroy());
    keep(onward, () => client.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (thenRefuse = false) => {
    refusing = thenRefuse;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  owner.teardown(() => {
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
    freeze: () => {
      freezing = true;
      for (const socket of sockets) {
        socket.unpipe().resume();
        // Nor does the other end learn that this one has closed.
        socket.removeAllListeners("close").on("close", () => sockets.delete(socket));
      }
    },
    thaw: () => {
      freezing = false;
    },
    leadTo: (port) => {
      target = port;
    },
  };
}
