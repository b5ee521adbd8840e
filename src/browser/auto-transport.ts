import type { Transport } from "./link.js";

/** Attempts over a transport, none of which got through, before the other is tried. */
const ATTEMPTS: Readonly<Record<Transport, number>> = { ws: 2, sse: 1 };

/**
 * Which transport to use next. WebSocket first; SSE after two WebSockets in a row that did not get through, as some
 * proxies let none pass. When SSE does not get through either, it is the way to the gateway that is broken, and
 * WebSocket has its turn again.
 */
export class AutoTransport {
  readonly #allowed: readonly [Transport, ...Transport[]];
  #current: Transport;
  #misses = 0;

  /** @param allowed in order of preference; a single one is always used */
  constructor(allowed: readonly [Transport, ...Transport[]]) {
    this.#allowed = allowed;
    this.#current = allowed[0];
  }

  get current(): Transport {
    return this.#current;
  }

  /** The attempt reached the gateway, whether it was accepted or refused. */
  reached(): void {
    this.#misses = 0;
  }

  /** The attempt never heard from the gateway. */
  missed(): void {
    this.#misses += 1;
    if (this.#misses < ATTEMPTS[this.#current]) return;
    this.#misses = 0;
    this.#current = this.#allowed.find((transport) => transport !== this.#current) ?? this.#current;
  }
}
