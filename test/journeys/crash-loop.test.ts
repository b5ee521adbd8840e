import t from "tap";
import { startGateway } from "../support/gateway.ts";
import { startTestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { statusOf } from "../support/workers.ts";

const GIVES_UP_WITHIN_MS = 60_000;

t.test("a worker that keeps dying as it starts stops the gateway with an error", async (t) => {
  const gateway = await startGateway(t, { redis: await startTestRedis(t) });
  const { workers } = await statusOf(gateway);
  process.kill(workers.find(({ id }) => id === 2)!.pid, "SIGKILL");
  await until(
    "the gateway to give up",
    async () => {
      const status = await statusOf(gateway).catch(() => undefined);
      const starting = status?.workers.filter(({ id, stage }) => id === 2 && stage !== "joined") ?? [];
      for (const { pid } of starting) kill(pid);
      return gateway.process.exitCode !== null;
    },
    GIVES_UP_WITHIN_MS,
  );
  t.equal(gateway.process.exitCode, 1);
  t.match(gateway.output(), /"level":60.*worker 2 keeps ending as it starts/);
});

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It was quicker.
  }
}
