import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import type { Test } from "tap";
import { findRedisServer } from "../../src/cli/private-redis.ts";
import { freePort } from "../support/free-port.ts";
import { startTestRedis, type TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

/** Three masters that share the slots of a Redis Cluster, without replicas. */
export async function startCluster(t: Test): Promise<readonly TestRedis[]> {
  const nodes = await Promise.all(
    [1, 2, 3].map(async () => {
      const busPort = await freePort();
      const args = ["--cluster-enabled", "yes", "--cluster-port", String(busPort), "--cluster-node-timeout", "2000"];
      return { busPort, redis: await startTestRedis(t, { args }) };
    }),
  );
  const addresses = nodes.map(({ redis, busPort }) => `127.0.0.1:${redis.port}@${busPort}`);
  await promisify(execFile)("redis-cli", ["--cluster", "create", ...addresses, "--cluster-yes"]);
  for (const { redis } of nodes) {
    await until("every node knows the whole cluster", async () => {
      const info = await ask(redis.port, (client) => client.cluster("INFO"));
      return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3");
    });
  }
  return nodes.map(({ redis }) => redis);
}

export interface Sentinel {
  readonly url: string;
  readonly masterName: string;
  /** Port of the server that is the master now. */
  masterPort(): Promise<number>;
}

/** One sentinel that watches a master and decides alone. It calls the master down after half a second. */
export async function startSentinel(t: Test, masterPort: number): Promise<Sentinel> {
  const masterName = "ragline-master";
  const folder = await mkdtemp(join(tmpdir(), "ragline-sentinel-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const settings = [
    `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 1`,
    `sentinel down-after-milliseconds ${masterName} 500`,
    `sentinel failover-timeout ${masterName} 3000`,
  ];
  const file = join(folder, "sentinel.conf");
  await writeFile(file, `${settings.join("\n")}\n`);
  // A sentinel takes its settings from a file it can write, named first, and none of those a server is started with.
  const program = join(folder, "sentinel");
  const server = await findRedisServer();
  await writeFile(program, `#!/bin/sh\nexec ${server} ${file} --sentinel "$1" "$2" "$3" "$4"\n`, { mode: 0o755 });
  const sentinel = await startTestRedis(t, { program });
  return {
    url: sentinel.url,
    masterName,
    masterPort: () =>
      ask(sentinel.port, async (client) => {
        const address = (await client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName)) as string[];
        return Number(address[1]);
      }),
  };
}

/** One question on a connection of its own. */
export async function ask<T>(port: number, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(port, "127.0.0.1", { protocol: 2 });
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}
