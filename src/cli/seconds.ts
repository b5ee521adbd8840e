import { InvalidArgumentError } from "commander";

const LONGEST_SECONDS = 10 * 365 * 24 * 3600;

/** A span of time on the command line. */
export function readSeconds(text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= LONGEST_SECONDS) return seconds;
  throw new InvalidArgumentError(`It must be a whole number of seconds, 1 to ${LONGEST_SECONDS}.`);
}
