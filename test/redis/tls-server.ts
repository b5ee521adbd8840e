import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { createServer } from "node:tls";
import type { Test } from "tap";

// For localhost, signed by its own key, for 100 years. It guards nothing.
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmQgqx5WIITnUOe6u
lb0gr3gyGURtx98XupX0rCYlQcShRANCAARcuy4c6uFI5aJaM1qjJYcQM9Sa4TUZ
7D+e0ERgGlMogPuRNhhsyKd4AGI1IDxcyL+pZ5I4YelDKAxJJeLjo/ci
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBgDCCASWgAwIBAgIUbsrVQlnqxJBlEasUqwJE6y/e9IEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE2MDM0M1oYDzIxMjYxMDMw
MTYwMzQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARcuy4c6uFI5aJaM1qjJYcQM9Sa4TUZ7D+e0ERgGlMogPuRNhhsyKd4
AGI1IDxcyL+pZ5I4YelDKAxJJeLjo/cio1MwUTAdBgNVHQ4EFgQUczkk0sOxMuk8
4sx+ENiwBxp3NvIwHwYDVR0jBBgwFoAUczkk0sOxMuk84sx+ENiwBxp3NvIwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAqsR1m48f8aUcEy7RgT9o
CTc3JUSotnsmPRqzpcT4K0ICIQDUa+h1XSWb3Ps3NgbWx3JpMTZHdyZnqcrwFErB
eXmAxQ==
-----END CERTIFICATE-----`;

export interface TlsServer {
  readonly port: number;
  /** Connections that finished the handshake. */
  secured(): number;
}

/** TLS on 127.0.0.1 in front of a port without it, as the servers of some package builds cannot speak it themselves. */
export async function startTlsServer(t: Test, targetPort: number): Promise<TlsServer> {
  let secured = 0;
  const server = createServer({ key: KEY, cert: CERTIFICATE }, (client) => {
    secured++;
    const target = connect(targetPort, "127.0.0.1");
    client.pipe(target).pipe(client);
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      socket.on("error", () => {});
      socket.on("close", () => other.destroy());
    }
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return { port: (server.address() as AddressInfo).port, secured: () => secured };
}
