import { readFileSync } from "node:fs";
import { Command } from "commander";
import { addConfigCommand } from "./config.js";
import { addDemoCommand } from "./demo.js";
import { addPublishCommand } from "./publish.js";
import { addRevokeCommand } from "./revoke.js";
import { addStartCommand } from "./start.js";
import { addTailCommand } from "./tail.js";
import { addTokenCommand } from "./token.js";

/** The command line. What is wrong with its use, and help, is thrown as CommanderError once it has been printed. */
export function makeProgram(): Command {
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
  addRevokeCommand(program);
  addConfigCommand(program);
  return program;
}

function packageVersion(): string {
  const description = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(description) as { version: string }).version;
}
