import type { Command } from "commander";
import { readSeconds } from "./seconds.js";
import { signedToken } from "./signed-token.js";

interface TokenOptions {
  readonly tenant: string;
  readonly user: string;
  readonly role?: readonly string[];
  readonly ttl: number;
}

export function addTokenCommand(program: Command): void {
  program
    .command("token")
    .description("Print a token signed with JWT_SECRET_KEY.")
    .requiredOption("--tenant <tenant>", "tenant the token is for")
    .requiredOption("--user <user>", "user the token is for")
    .option("--role <role...>", "publisher, service or admin; may be repeated")
    .option("--ttl <seconds>", "how long it is good, in seconds", readSeconds, 3600)
    .addHelpText("after", EXAMPLES)
    .action(async ({ tenant, user, role = [], ttl }: TokenOptions) => {
      console.log(await signedToken({ tenant, user, roles: role, ttlSeconds: ttl }));
    });
}

const EXAMPLES = `
publisher may publish for its own tenant, service for any, admin may read the statistics of every tenant.
Exits with 78 when JWT_SECRET_KEY is not set.

Examples:
  ragline-gateway token --tenant acme --user alice
  ragline-gateway token --tenant acme --user import-job --role publisher --ttl 86400`;
