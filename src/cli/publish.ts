import type { Command } from "commander";
import { createPublisher, type EventToPublish } from "../publisher/index.js";

interface PublishOptions {
  readonly tenant: string;
  readonly eventId?: string;
  readonly user?: string;
  readonly targetUser?: string;
}

export function addPublishCommand(program: Command): void {
  const command: Command = program
    .command("publish")
    .description("Add an event to Redis and print its id.")
    .argument("<topic>", "one of RAGLINE_TOPICS")
    .argument("<type>", "the event's type")
    .argument("<json>", "the payload")
    .requiredOption("--tenant <tenant>", "tenant whose event it is")
    .option("--event-id <id>", "add it only once within 24 hours")
    .option("--user <user>", "user whose doing it was")
    .option("--target-user <user>", "only user who gets it")
    .addHelpText("after", EXAMPLES)
    .action((topic: string, type: string, json: string, options: PublishOptions) => {
      const { tenant, eventId, user, targetUser } = options;
      return publish({
        topic,
        event_type: type,
        payload: readJson(json, command),
        tenant_id: tenant,
        ...(eventId !== undefined && { event_id: eventId }),
        ...(user !== undefined && { user_id: user }),
        ...(targetUser !== undefined && { target_user_id: targetUser }),
      });
    });
}

async function publish(event: EventToPublish): Promise<void> {
  const publisher = createPublisher();
  try {
    console.log(await publisher.publish(event));
  } finally {
    await publisher.close();
  }
}

function readJson(text: string, command: Command): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return command.error("error: the payload is not JSON");
  }
}

const EXAMPLES = `
It writes straight to the Redis of REDIS_URL, and needs no gateway and no token.

Examples:
  ragline-gateway publish orders order_created '{"order_id":"A-1","total":12.5}' --tenant acme
  ragline-gateway publish notifications notification '"hello"' --tenant acme --target-user alice
  ragline-gateway publish system system_alert '{"level":"low"}' --tenant acme --event-id alert-7`;
