export interface Timeout {
  /** Resolves when the time has passed, never once it was cleared. */
  readonly passed: Promise<false>;
  clear(): void;
}

export function startTimeout(ms: number): Timeout {
  let timer: NodeJS.Timeout;
  const passed = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  return { passed, clear: () => clearTimeout(timer) };
}
