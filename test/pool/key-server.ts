import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { Test } from "tap";
import { type KeyPair, PAIR_OF } from "./signing.ts";

export interface KeyServer {
  readonly url: string;
  /** Requests so far. */
  requests(): number;
  /** Resolves once a request is there that has not been waited for. */
  nextRequest(): Promise<void>;
  /** Replaces how every further request is answered. */
  answer(listener: RequestListener): void;
}

/** An HTTP server on loopback that ends with the test. */
export async function startKeyServer(t: Test, listener: RequestListener): Promise<KeyServer> {
  let current = listener;
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    current(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    requests: () => requests,
    nextRequest: async () => void (await once(server, "request")),
    answer: (next) => {
      current = next;
    },
  };
}

/** Answers with a JSON Web Key Set (RFC 7517). */
export function keySet(...keys: readonly Record<string, unknown>[]): RequestListener {
  return (_request, response) => response.setHeader("content-type", "application/json").end(JSON.stringify({ keys }));
}

export function jwkOf({ publicKey }: KeyPair, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { ...publicKey.export({ format: "jwk" }), ...more };
}

/** A key for each algorithm, named after it. */
export const ALL_KEYS = Object.entries(PAIR_OF).map(([alg, pair]) => jwkOf(pair, { kid: alg, alg, use: "sig" }));
