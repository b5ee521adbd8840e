import { availableParallelism, cpus, release, type } from "node:os";

/** What the numbers were measured on, in one line. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() || "unknown CPU";
  return `${model}, ${availableParallelism()} cores, ${type()} ${release()}, Node ${process.version}`;
}
