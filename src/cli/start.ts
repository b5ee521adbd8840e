import type { Command } from "commander";

export function addStartCommand(program: Command): void {
  program
    .command("start")
    .description("Run the gateway with the settings of the environment.")
    .addHelpText("after", EXAMPLES)
    .action(async () => {
      await import("../main.js");
    });
}

const EXAMPLES = `
It keeps trying until Redis can be reached, and stops on SIGTERM or Ctrl-C, sending clients away first.
Exits with 78 when a setting is missing or wrong.

Examples:
  JWT_SECRET_KEY=... REDIS_URL=redis://redis:6379/0 ragline-gateway start
  JWT_JWKS_URL=https://login.example.com/jwks.json PORT=9000 ragline-gateway start`;
