import type { WebSocketConnection } from "./websocket-connection.js";

/** All WebSockets that get the same bytes: one topic, which uWebSockets.js merges per socket and turn. */
export class WebSocketAudience {
  readonly #topic: string;
  readonly #publish: (topic: string, frame: Uint8Array) => void;

  constructor(topic: string, publish: (topic: string, frame: Uint8Array) => void) {
    this.#topic = topic;
    this.#publish = publish;
  }

  add(member: WebSocketConnection): void {
    member.enter(this.#topic);
  }

  remove(member: WebSocketConnection): void {
    member.exit(this.#topic);
  }

  write(frame: Uint8Array): void {
    this.#publish(this.#topic, frame);
  }

  /** uWebSockets.js sends at the end of the turn by itself. */
  flush(): void {}
}
