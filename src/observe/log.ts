import { type Logger, pino } from "pino";

export type Log = Logger;

/** Names under which a secret could reach a log line; their values are never written. */
const SECRET_NAMES = ["token", "authorization", "password", "secret"];
const SECRET_PATHS = [...SECRET_NAMES, ...SECRET_NAMES.map((name) => `*.${name}`)];

/** JSON lines on standard output. */
export function openLog(level: string, bindings: Readonly<Record<string, unknown>>): Log {
  return pino({
    level,
    base: bindings,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: withoutArguments },
    redact: { paths: SECRET_PATHS, censor: "[secret]" },
  });
}

/** The Redis client hangs the failed command with all its arguments, passwords too, on its errors. */
function withoutArguments(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  return { type: error.name, message: error.message, stack: error.stack };
}
