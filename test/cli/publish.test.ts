import t from "tap";
import { connectTest, eventsIn, publisherSettings, streamKeyOf } from "../publisher/redis-fixture.ts";
import { startTestRedis } from "../support/redis.ts";
import { runCli } from "./run-cli.ts";

t.test("publish adds an event and prints its id", async (t) => {
  const redis = await startTestRedis(t);
  const settings = publisherSettings(redis);
  const client = await connectTest(t, settings);
  const env = { REDIS_URL: redis.url };
  const event = ["publish", "orders", "order_created", '{"total":12.5}', "--tenant", "東京"];
  const { code, stdout, stderr } = await runCli([...event, "--event-id", "e1", "--target-user", "u2"], env);
  t.strictSame([code, stderr], [0, ""]);
  t.match(await eventsIn(client, streamKeyOf(settings, "東京")), [
    {
      id: stdout.trim(),
      tenant: "東京",
      type: "order_created",
      payload: { total: 12.5 },
      eventId: "e1",
      targetUser: "u2",
    },
  ]);
  const again = await runCli([...event, "--event-id", "e1"], env);
  t.equal(again.stdout, stdout, "the same event is added once");
});

t.test("publish says why an event is refused, in one line", async (t) => {
  const redis = await startTestRedis(t);
  const event = ["publish", "other", "order_created", "1", "--tenant", "acme"];
  t.strictSame(await runCli(event, { REDIS_URL: redis.url }), {
    code: 1,
    stdout: "",
    stderr: "ragline-gateway: item 0: topic: unknown topic\n",
  });
  const away = await runCli(["publish", "orders", "a", "1", "--tenant", "acme"], { REDIS_URL: "redis://127.0.0.1:1" });
  t.match(away, { code: 1, stdout: "", stderr: /^ragline-gateway: Redis cannot be reached/ });
  const wrong = await runCli(event, { REDIS_URL: "redis://127.0.0.1:1", RAGLINE_PARTITIONS: "0" });
  t.match(wrong, { code: 78, stderr: /^RAGLINE_PARTITIONS / });
});
