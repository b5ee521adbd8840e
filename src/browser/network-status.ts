/** The parts of a browser's global object that tell of the network; Node has none of them. */
export interface NetworkScope {
  navigator?: { onLine?: boolean };
  addEventListener?(type: "online" | "offline", listener: () => void): void;
  removeEventListener?(type: "online" | "offline", listener: () => void): void;
}

export interface NetworkStatus {
  /** False only when the browser is sure that there is no network. */
  isOnline(): boolean;
  /** Stops the callbacks. */
  stop(): void;
}

const LOOPBACK = /^(localhost|.*\.localhost|127\..*|\[::1\])$/;

/**
 * Follows whether there is a network. A gateway on this very machine needs none, so for a loopback host the answer is
 * always yes.
 */
export function watchNetwork(
  hostname: string,
  onChange: (online: boolean) => void,
  scope: NetworkScope = globalThis,
): NetworkStatus {
  if (LOOPBACK.test(hostname)) return { isOnline: () => true, stop: () => {} };

  const onOnline = () => onChange(true);
  const onOffline = () => onChange(false);
  scope.addEventListener?.("online", onOnline);
  scope.addEventListener?.("offline", onOffline);
  return {
    isOnline: () => scope.navigator?.onLine !== false,
    stop() {
      scope.removeEventListener?.("online", onOnline);
      scope.removeEventListener?.("offline", onOffline);
    },
  };
}
