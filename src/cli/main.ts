#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { SettingsError } from "../config.js";
import { RefusalError } from "../protocol/errors.js";
import { CommandError } from "./command-error.js";
import { addConfigCommand } from "./config.js";
import { addDemoCommand } from "./demo.js";
import { addPublishCommand } from "./publish.js";
import { addStartCommand } from "./start.js";
import { addTailCommand } from "./tail.js";
import { addTokenCommand } from "./token.js";

const USAGE_EXIT_CODE = 2;
const FAILURE_EXIT_CODE = 1;

const program = new Command("ragline-gateway")
  .description("Real-time gateway: Redis Streams to browsers over Server-Sent Events and WebSocket.")
  .version(packageVersion())
  .showHelpAfterError()
  .exitOverride()
  .addHelpText("after", "\nSettings are environment variables; `ragline-gateway config` shows them.");

addStartCommand(program);
addDemoCommand(program);
addTokenCommand(program);
addPublishCommand(program);
addTailCommand(program);
addConfigCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Says what went wrong, and answers the exit code. */
function report(error: unknown): number {
  // It has said so itself.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
  if (error instanceof SettingsError) {
    console.error(error.message);
    return error.exitCode;
  }
  const isExpected = error instanceof CommandError || error instanceof RefusalError;
  console.error(isExpected ? `ragline-gateway: ${error.message}` : error);
  return FAILURE_EXIT_CODE;
}

function packageVersion(): string {
  const description = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(description) as { version: string }).version;
}
