import { NOTICED_WITHIN_MS, READY_AGAIN_WITHIN_MS } from "./support/bounds.ts";
import type { RedisServer } from "./support/redis-server.ts";
import type { Scenario } from "./support/scenario.ts";

const USER = "gateway";

async function setPassword({ commands }: RedisServer, password: string): Promise<void> {
  await commands.call("ACL", "SETUSER", USER, "on", "resetpass", `>${password}`, "~*", "&*", "+@all");
}

export const redisPassword: Scenario = {
  name: "password-changed",
  what: "the gateway's password is changed and its connections are cut, then it is changed back: nobody is cut, nothing is missing",
  setting: {
    prepare: async (redis) => {
      await setPassword(redis, "right");
      return `${USER}:right@`;
    },
  },
  async run({ redis, gateway }) {
    await setPassword(redis, "another");
    await redis.commands.call("CLIENT", "KILL", "USER", USER);
    await gateway.untilNotReady(NOTICED_WITHIN_MS);
    await setPassword(redis, "right");
    await gateway.untilReady(READY_AGAIN_WITHIN_MS);
  },
};
