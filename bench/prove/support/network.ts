import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A network between the gateway and Redis, in which cables can be pulled. */
export class Network {
  readonly #server = createServer((client) => this.#take(client));
  readonly #sockets = new Set<Socket>();
  #target: number;

  private constructor(target: number) {
    this.#target = target;
  }

  /** @param target port on 127.0.0.1 connections are led to. */
  static async open(target: number): Promise<Network> {
    const network = new Network(target);
    network.#server.listen(0, "127.0.0.1");
    await once(network.#server, "listening");
    return network;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** New connections are led elsewhere. */
  leadTo(target: number): void {
    this.#target = target;
  }

  /** Connections there are stay open and carry nothing any more, for ever; new ones are as good as before. */
  freeze(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.removeAllListeners("close");
      socket.resume();
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #take(client: Socket): void {
    const target = connect(this.#target, "127.0.0.1");
    client.pipe(target).pipe(client);
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay();
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
