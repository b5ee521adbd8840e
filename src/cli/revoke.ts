import { type Command, InvalidArgumentError } from "commander";
import { loadPublisherSettings } from "../config.js";
import { readName } from "../protocol/identity.js";
import type { Revocation } from "../protocol/revocation.js";
import { connectRedis, firstAttempt } from "../redis/connect.js";
import { addRevocation } from "../redis/control-stream.js";
import { CommandError } from "./command-error.js";
import { readSeconds } from "./seconds.js";

interface RevokeOptions {
  readonly tenant: string;
  readonly user?: string;
  readonly jti?: string;
  readonly for: number;
}

/** As long as tokens usually live, and longer. */
const DEFAULT_SECONDS = 24 * 3600;

export function addRevokeCommand(program: Command): void {
  program
    .command("revoke")
    .description("Close connections at once, and refuse new ones for a while.")
    .requiredOption("--tenant <tenant>", "tenant whose access is revoked", readNameArgument)
    .option("--user <user>", "only this user of it", readNameArgument)
    .option("--jti <jti>", "only the token with this claim jti", readTokenId)
    .option("--for <seconds>", "how long, in seconds", readSeconds, DEFAULT_SECONDS)
    .addHelpText("after", EXAMPLES)
    .action(async ({ tenant, user, jti, for: seconds }: RevokeOptions) => {
      const until = Math.ceil(Date.now() / 1000) + seconds;
      await write({ tenant, until, ...(user !== undefined && { user }), ...(jti !== undefined && { tokenId: jti }) });
      console.log(`revoked until ${new Date(until * 1000).toISOString()}`);
    });
}

async function write(revocation: Revocation): Promise<void> {
  const { redis } = loadPublisherSettings();
  const client = connectRedis(redis, { name: "ragline-revoke", onError: () => {} });
  try {
    await firstAttempt(client);
    await addRevocation(client, revocation);
  } catch (error) {
    const isReply = error instanceof Error && error.name === "ReplyError";
    throw new CommandError(
      isReply ? `Redis refuses: ${error.message}` : "Redis cannot be reached, nothing was revoked",
    );
  } finally {
    client.disconnect();
  }
}

function readNameArgument(text: string): string {
  if (readName(text) === text) return text;
  throw new InvalidArgumentError("It must be text of 1 to 256 bytes.");
}

function readTokenId(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("It must not be empty.");
}

const EXAMPLES = `
It writes straight to the Redis of REDIS_URL. Every gateway that reads this Redis closes what matches within a second, with
the code revoked, and refuses it until the time is over, restarts included. Choose a time in which every token that must no
longer count has expired.

Examples:
  ragline-gateway revoke --tenant acme --user alice
  ragline-gateway revoke --tenant acme --jti 5f0c1c9e --for 3600
  ragline-gateway revoke --tenant acme --for 600`;
