/**
 * Enough connections that both of two workers hold some of them: each connection lands on a worker of the kernel's
 * choice (SO_REUSEPORT hashes its address and port), so all of 32 land on one in 2 of 2^32 cases.
 */
export const ENOUGH_FOR_BOTH_WORKERS = 32;

/** Opens that many connections at the same time, each over a TCP connection of its own. */
export async function onBothWorkers<T>(open: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: ENOUGH_FOR_BOTH_WORKERS }, (_, index) => open(index)));
}
