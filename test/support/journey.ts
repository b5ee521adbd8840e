import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import type { Test } from "tap";
import { type Gateway, startGateway } from "./gateway.ts";
import { startTestRedis, type TestRedis } from "./redis.ts";

export interface Journey {
  readonly server: TestRedis;
  readonly redis: Redis;
  readonly gateway: Gateway;
}

/** An empty Redis, a connection to it, and a gateway of two workers: what most journeys start from. */
export async function startJourney(t: Test, env: Readonly<Record<string, string>> = {}): Promise<Journey> {
  const server = await startTestRedis(t);
  const redis = connectToRedis(t, server);
  return { server, redis, gateway: await startGateway(t, { redis: server, env }) };
}

export function connectToRedis(t: Test, { url }: { readonly url: string }): Redis {
  const redis = new Redis(url);
  redis.on("error", () => {});
  t.teardown(() => redis.disconnect());
  return redis;
}

/** A tenant no other part of the test uses. */
export function newTenant(): string {
  return `tenant-${randomUUID()}`;
}
