import { fileURLToPath } from "node:url";
import type { Test } from "tap";
import { Inbox } from "./inbox.ts";
import { launch } from "./launch.ts";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Command {
  readonly pid: number;
  /** Lines of standard output. */
  readonly lines: Inbox<string>;
  /** Everything it wrote, to either stream. */
  output(): string;
  /** The exit code, once it has ended. */
  readonly exited: Promise<number | null>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Runs `ragline-gateway` with nothing of our environment but PATH. It ends with the test. */
export function runCommand(t: Test, args: readonly string[], env: Readonly<Record<string, string>> = {}): Command {
  const { PATH = "" } = process.env;
  const { child, exited, stop, output } = launch([CLI, ...args], { PATH, ...env });
  t.teardown(() => stop());
  const lines = new Inbox<string>();
  let rest = "";
  child.stdout.on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const part of parts) lines.push(part);
  });
  void exited.then((code) => lines.end(`it exited with ${code}: ${output().slice(-1000)}`));
  return { pid: child.pid!, lines, output, exited, stop };
}
