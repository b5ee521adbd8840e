import assert from "node:assert/strict";
import fc from "fast-check";
import t from "tap";
import { CHANNELS } from "../../../src/protocol/channel.ts";
import { decodeCursor, topicTag } from "../../../src/protocol/cursor.ts";
import { compareEntryIds } from "../../../src/protocol/entry-id.ts";
import type { FrameFormat } from "../../../src/worker/fanout/subscriber.ts";
import { LAYOUT } from "../fanout/listener.ts";
import { openRedis } from "../redis-fixture.ts";
import { Producer, someTurns, streamOf, Visitor, World } from "./world.ts";

const anyTenant = fc.constantFrom("acme", "globex");
const anyWorker = fc.nat(1);
const anyStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      add: fc.integer({ min: 1, max: 40 }),
      to: fc.record({
        tenant: anyTenant,
        topic: fc.constantFrom("orders", "system"),
        shared: fc.boolean(),
        target: fc.option(fc.constantFrom("u1", "u2"), { freq: 6, nil: undefined }),
      }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ deliver: fc.constantFrom(1, 7, 1_000), worker: anyWorker }) },
  {
    weight: 8,
    arbitrary: fc.record({
      /** Come back from where this one stands, or stood so many events ago. */
      from: fc.nat(),
      ago: fc.nat(60),
      worker: anyWorker,
      formats: fc.array(fc.constantFrom("sse" as const, "json" as const, "msgpack" as const), {
        minLength: 1,
        maxLength: 4,
      }),
      user: fc.constantFrom("u1", "u2"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ pause: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ resume: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ leave: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ forget: anyTenant, worker: anyWorker }) },
  { weight: 2, arbitrary: fc.record({ msgpack: fc.boolean(), worker: anyWorker }) },
  { weight: 3, arbitrary: fc.record({ turns: fc.nat(8) }) },
);

/** Of every stream, what came after the position the visitor was greeted with, and nothing else. */
function check(visitor: Visitor, producer: Producer): void {
  const { topics } = decodeCursor(visitor.greeting)!;
  assert.ok(
    visitor.story.every((part) => typeof part === "number"),
    `a gap: ${JSON.stringify(visitor.story)}`,
  );
  for (const topic of LAYOUT.topics) {
    for (const shared of [true, false]) {
      const { key } = streamOf(visitor.tenant, topic, shared);
      const { id } = topics.get(topicTag(topic))![shared ? "shared" : "partitioned"];
      const ofStream = producer.sent.filter((event) => event.key === key);
      const expected = ofStream.filter(
        ({ n, tenant, target }) =>
          compareEntryIds(`${n}-0`, id) > 0 &&
          tenant === visitor.tenant &&
          (target === undefined || target === visitor.user),
      );
      const numbers = new Set(ofStream.map(({ n }) => n));
      assert.deepEqual(
        visitor.story.filter((part) => numbers.has(part as number)),
        expected.map(({ n }) => n),
        `${key} for ${visitor.tenant}, ${visitor.user}, ${visitor.format}`,
      );
    }
  }
}

t.test("whoever comes, goes, stalls and comes back, on either of two workers, gets each event once", async (t) => {
  const { client } = await openRedis(t);
  const run = fc.asyncProperty(
    fc.constantFrom(0, 4_000, 30_000, 10_000_000),
    fc.array(anyStep, { minLength: 5, maxLength: 50, size: "max" }),
    async (historyBytes, steps) => {
      await client.flushdb();
      const producer = new Producer(client);
      const workers = [new World(client, { historyBytes }), new World(client, { historyBytes })];
      const everyone: { visitor: Visitor; world: World; left: boolean }[] = [];
      const one = (n: number) => everyone[n % everyone.length]!;
      const visit = async (tenant: string, world: World, format: FrameFormat, user: string, from: string | null) => {
        // Whoever takes MessagePack makes it be encoded for its tenant from then on.
        if (format === "msgpack") world.msgpack = true;
        const visitor = new Visitor(tenant, format === "sse" ? CHANNELS.sse : CHANNELS.ws, { format, user, limit: 5 });
        await world.visit(visitor, from);
        everyone.push({ visitor, world, left: false });
      };
      for (const tenant of ["acme", "globex"])
        for (const world of workers) await visit(tenant, world, "sse", "u1", null);
      for (const step of steps) {
        if ("add" in step) {
          const { target, ...to } = step.to;
          await producer.add(step.add, { ...to, ...(target !== undefined && { target }) });
        } else if ("deliver" in step) await workers[step.worker]!.deliver(step.deliver);
        else if ("from" in step) {
          const world = workers[step.worker]!;
          const { visitor: before } = one(step.from);
          const lastEventId = before.frames.at(-1 - step.ago)?.id ?? before.greeting;
          for (const format of step.formats) await visit(before.tenant, world, format, step.user, lastEventId);
        } else if ("pause" in step) one(step.pause).visitor.pause();
        else if ("resume" in step) one(step.resume).visitor.resume();
        else if ("leave" in step) {
          const leaving = one(step.leave);
          if (leaving.left) continue;
          leaving.world.leave(leaving.visitor);
          leaving.left = true;
        } else if ("forget" in step) {
          const world = workers[step.worker]!;
          const isFollowed = everyone.some((e) => e.world === world && !e.left && e.visitor.tenant === step.forget);
          if (!isFollowed) world.history.close(step.forget);
        } else if ("msgpack" in step) {
          const world = workers[step.worker]!;
          const isTaken = everyone.some((e) => e.world === world && e.visitor.format === "msgpack");
          world.msgpack = isTaken || step.msgpack;
        } else await someTurns(step.turns);
      }
      for (const world of workers) await world.deliver();
      const staying = everyone.filter(({ left }) => !left);
      for (const { visitor } of staying) visitor.resume();
      for (const world of workers) {
        await world.allLive(staying.filter((each) => each.world === world).map(({ visitor }) => visitor));
      }
      for (const { visitor } of staying) check(visitor, producer);
    },
  );
  await fc.assert(run, { numRuns: 60 });
});
