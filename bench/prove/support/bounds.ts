/** Milliseconds within which /health/ready says so when Redis fails, silently too. */
export const NOTICED_WITHIN_MS = 20_000;
/** Milliseconds after recovery within which it is ready again. */
export const READY_AGAIN_WITHIN_MS = 30_000;
