import { setTimeout as delay } from "node:timers/promises";
import { partitionOf } from "../../src/protocol/partition.ts";
import { partitionStream, sharedStream } from "../../src/protocol/stream.ts";
import { nowMicros } from "./clock.ts";
import type { FeederAnswer, FeederRequest, FeedPlan } from "./feed-messages.ts";
import { LAYOUT, TOPIC } from "./layout.ts";
import { RedisPipeline } from "./redis-pipeline.ts";
import { tenantName } from "./stamp.ts";
import { XaddTemplate } from "./xadd-template.ts";

/** The feeder: adds events to Redis at a fixed rate, told what to do by `Feeder`. */

/** What is due is written together, at most this often. */
const LEAST_PAUSE_MS = 2;
/** Most commands that are written together, and then waited for. */
const MOST_UNANSWERED = 4_000;

let redis: RedisPipeline | undefined;
let feed: (rate: number, events: number) => Promise<FeederAnswer>;

process.on("disconnect", () => process.exit());
process.on("message", async (request: FeederRequest) => {
  if (request.kind === "open") {
    redis?.close();
    redis = await RedisPipeline.connect(request.redisPort);
    feed = openFeed(redis, request.plan);
    process.send!({ kind: "ready" } satisfies FeederAnswer);
  } else process.send!(await feed(request.rate, request.events));
});

function openFeed(redis: RedisPipeline, plan: FeedPlan): typeof feed {
  const { templateOf, turns, sent } = prepare(plan);
  let events = 0;

  /** One buffer for all, because it belongs to the socket until Redis has answered. */
  function writeBatch(count: number, time: number): void {
    const tenants = Array.from({ length: count }, () => turns());
    const templates = tenants.map(templateOf);
    const batch = Buffer.allocUnsafe(templates.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const [i, template] of templates.entries()) {
      const tenant = tenants[i]!;
      template.write(batch, at, tenant, sent[tenant]!++, time);
      at += template.length;
    }
    redis.write(batch, count);
    events += count;
  }

  return async (rate, count) => {
    const last = events + count;
    const startedAt = nowMicros();
    const dueMs = (n: number) => ((n - (last - count)) / rate) * 1e3;
    let latestMs = 0;
    while (events < last) {
      const sinceMs = (nowMicros() - startedAt) / 1e3;
      const due = Math.min(last - events, Math.floor((sinceMs * rate) / 1e3) + 1 - (events - (last - count)));
      if (due > 0) {
        latestMs = Math.max(latestMs, sinceMs - dueMs(events));
        writeBatch(Math.min(due, MOST_UNANSWERED), nowMicros());
        await redis.untilUnanswered(MOST_UNANSWERED);
      }
      const untilNextMs = dueMs(events) - (nowMicros() - startedAt) / 1e3;
      if (events < last) await delay(Math.max(LEAST_PAUSE_MS, untilNextMs));
    }
    await redis.untilUnanswered(0);
    return { kind: "fed", fed: { events: count, sent, startedAt, endedAt: nowMicros(), latestMs } };
  };
}

/** A template per stream, and whose turn it is: the lanes by weight, in each one tenant after the other. */
function prepare({ form, streams, payloadBytes, lanes }: FeedPlan) {
  const templates = new Map<string, XaddTemplate>();
  const byTenant: XaddTemplate[] = [];
  const count = Math.max(...lanes.map(({ firstTenant, tenants }) => firstTenant + tenants));
  for (let tenant = 0; tenant < count; tenant++) {
    const partition = partitionOf(tenantName(tenant), LAYOUT.partitions);
    const { key } = streams === "shared" ? sharedStream(LAYOUT, TOPIC) : partitionStream(LAYOUT, TOPIC, partition);
    const template = templates.get(key) ?? new XaddTemplate(key, form, payloadBytes);
    templates.set(key, template);
    byTenant.push(template);
  }
  const queue = lanes.map(() => 0);
  const credit = lanes.map(() => 0);
  const weights = lanes.reduce((sum, { weight }) => sum + weight, 0);
  const turns = () => {
    // Smooth weighted round-robin: the lane that has waited longest for its share.
    for (const [i, { weight }] of lanes.entries()) credit[i]! += weight;
    const lane = credit.indexOf(Math.max(...credit));
    credit[lane]! -= weights;
    const { firstTenant, tenants } = lanes[lane]!;
    return firstTenant + (queue[lane]!++ % tenants);
  };
  return { templateOf: (tenant: number) => byTenant[tenant]!, turns, sent: new Uint32Array(count) };
}
