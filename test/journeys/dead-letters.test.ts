import { pack } from "msgpackr";
import t from "tap";
import { follow } from "../support/follow.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { request } from "../support/request.ts";
import { until } from "../support/until.ts";
import { addEntry, addEvent, partitionKey, sharedKey, type Topic } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);

const tenant = newTenant();
const type = ["event_type", "order_created"];
const MIB = 1024 * 1024;

const BAD: readonly (readonly [what: string, fields: readonly (string | Buffer)[]])[] = [
  ["no tenant", [...type, "payload", "{}"]],
  ["an empty tenant", [...type, "tenant_id", "", "payload", "{}"]],
  ["a payload's tenant that is none", [...type, "payload", '{"tenant_id":null}']],
  ["no type", ["tenant_id", tenant, "payload", "{}"]],
  ["an empty type", ["event_type", "", "tenant_id", tenant, "payload", "{}"]],
  ["no payload", [...type, "tenant_id", tenant]],
  ["a payload that is not JSON", [...type, "tenant_id", tenant, "payload", "{nope"]],
  ["an empty payload", [...type, "tenant_id", tenant, "payload", ""]],
  ["a payload over 1 MiB", [...type, "tenant_id", tenant, "payload", JSON.stringify("x".repeat(MIB))]],
  ["a compact form that is no MessagePack", ["m", Buffer.from([0xc1, 0xff, 0x00])]],
  [
    "a compact form that is cut short",
    ["m", pack({ event_type: "a", tenant_id: tenant, payload: "x" }).subarray(0, 9)],
  ],
  ["a compact form that is no map", ["m", pack([1, 2])]],
  ["a compact form without tenant", ["m", pack({ event_type: "order_created", payload: {} })]],
  ["a compact form without type", ["m", pack({ tenant_id: tenant, payload: {} })]],
  ["a compact form over 1 MiB", ["m", pack({ event_type: "a", tenant_id: tenant, payload: "x".repeat(MIB) })]],
  ["fields nobody knows", ["hello", "world"]],
];

const KEYS: readonly (readonly [topic: Topic, kind: string, key: string])[] = [
  ["orders", "shared", sharedKey("orders")],
  ["system", "partitioned", partitionKey("system", tenant)],
];

for (const [topic, kind, key] of KEYS) {
  t.test(`entries of a ${kind} stream that nobody can get go to the dead letters, the others flow`, async (t) => {
    const followers = await Promise.all([
      follow(t, gateway, "/stream", { token: gateway.token({ tenant }) }),
      follow(t, gateway, "/ws", { token: gateway.token({ tenant }) }),
    ]);
    const addGood = (payload: unknown) =>
      addEvent(redis, { topic, tenant_id: tenant, payload }, { form: "fields", key: kind as "shared" });
    const ids: string[] = [];
    for (const [what, fields] of BAD) {
      await addGood(`before ${what}`);
      ids.push(await addEntry(redis, key, fields));
    }
    await addGood("end");

    for (const follower of followers) {
      t.same(
        (await follower.take(BAD.length + 1)).map(({ data }) => data),
        [...BAD.map(([what]) => `before ${what}`), "end"],
      );
    }
    const dlq = `ragline:dlq:${topic}`;
    await until(`${BAD.length} dead letters`, async () => (await redis.xlen(dlq)) >= BAD.length);
    const letters = await redis.xrangeBuffer(dlq, "-", "+");
    t.equal(letters.length, BAD.length, "each entry is there once");
    for (const [index, [what, fields]] of BAD.entries()) {
      const letter = letters.find(([, values]) => fieldOf(values, "id")?.toString() === ids[index]);
      t.ok(letter, `the one with ${what} has its id`);
      const values = letter?.[1] ?? [];
      for (let i = 0; i < fields.length; i += 2) {
        const kept = fieldOf(values, String(fields[i]));
        t.ok(kept?.equals(Buffer.from(fields[i + 1]!)), `and its field ${fields[i]}`);
      }
      t.ok(fieldOf(values, "reason")?.length, `and a reason: ${fieldOf(values, "reason")}`);
    }
  });
}

function fieldOf(values: readonly Buffer[], name: string): Buffer | undefined {
  const index = values.findIndex((value, i) => i % 2 === 0 && value.toString() === name);
  return index < 0 ? undefined : values[index + 1];
}

t.test("many bad entries in a row stop nothing", async (t) => {
  const follower = await follow(t, gateway, "/stream", { token: gateway.token({ tenant }) });
  const pipeline = redis.pipeline();
  for (let n = 0; n < 3_000; n++) pipeline.xadd(sharedKey("notifications"), "*", "payload", "{");
  await pipeline.exec();
  await addEvent(redis, { topic: "notifications", tenant_id: tenant, payload: "after" });
  t.equal((await follower.next()).data, "after");
  await until("3000 dead letters", async () => (await redis.xlen("ragline:dlq:notifications")) === 3_000);
});

t.test("dead letters are counted, and every entry is acknowledged", async (t) => {
  const counted = until("a counter of dead letters", async () => {
    const { text } = await request(`${gateway.adminUrl}/metrics`);
    const lines = text.split("\n").filter((line) => /^ragline_gateway_\w*dead\w*/.test(line));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0) >= 3_000 + 2 * BAD.length;
  });
  await t.resolves(counted);
  await until("nothing pending", async () => {
    const keys = await redis.keys("ragline:stream:*");
    const groups = await Promise.all(keys.map((key) => redis.xinfo("GROUPS", key) as Promise<unknown[][]>));
    return groups.flat().every((group) => group[group.indexOf("pending") + 1] === 0);
  });
});
