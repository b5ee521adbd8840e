#!/usr/bin/env node
import { CommanderError } from "commander";
import { SettingsError } from "../config.js";
import { RefusalError } from "../protocol/errors.js";
import { CommandError } from "./command-error.js";
import { makeProgram } from "./program.js";

const FAILURE_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;

// A token on the command line is no longer shown by ps from here on.
process.title = "ragline-gateway";

try {
  await makeProgram().parseAsync();
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
