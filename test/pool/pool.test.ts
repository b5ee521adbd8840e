import fc from "fast-check";
import t, { type Test } from "tap";
import type { EncodedEvents } from "../../src/pool/encode-events.ts";
import type { InPlaceLimits, Pool } from "../../src/pool/pool.ts";
import type { TokenRules } from "../../src/pool/verify-tokens.ts";
import type { RawEntry, RawSection } from "../../src/protocol/event.ts";
import { compactOf, fieldsOf } from "../protocol/raw-entry.ts";
import { forgeToken, inSeconds } from "../support/forge-token.ts";
import { until } from "../support/until.ts";
import { ALL_KEYS, jwkOf, keySet, startKeyServer } from "./key-server.ts";
import { KEY_PAIRS, SECRET, signWith } from "./signing.ts";

// The built one: Node starts a thread from JavaScript only.
const BUILT = new URL("../../dist/pool/pool.js", import.meta.url).href;
const { ENCODE_IN_PLACE_BYTES, ENCODE_IN_PLACE_UP_TO, openPool }: typeof import("../../src/pool/pool.ts") =
  await import(BUILT);

const ALWAYS_IN_THREAD = { entries: 0, bytes: 0 };
const ALWAYS_IN_PLACE = { entries: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
const claimNames = { tenantClaim: "tenant_id", userClaim: "user_id", clockToleranceSeconds: 5 };
const tokenRules: TokenRules = { secret: SECRET, algorithms: ["HS256"], ...claimNames };

function open(t: Test, rules = tokenRules, inPlace?: InPlaceLimits, threads = 1): Pool {
  const pool = openPool(threads, { tokenRules: rules }, inPlace);
  t.teardown(() => pool.close());
  return pool;
}

function claims(tenant: string): Record<string, unknown> {
  return { tenant_id: tenant, user_id: "u", exp: inSeconds(600) };
}

function entry(i: number, tenant = "acme"): RawEntry {
  const values = { event_type: `type_${i}`, tenant_id: tenant };
  const id = `1700000000000-${i}`;
  if (i % 7 === 5) return { id, fields: null };
  if (i % 7 === 6) return { id, fields: fieldsOf({ ...values, payload: "{" }) };
  if (i % 2 === 0) return { id, fields: fieldsOf({ ...values, payload: JSON.stringify({ i, text: "é😀" }) }) };
  return { id, fields: compactOf({ ...values, payload: { i, text: "é😀" } }) };
}

function section(count: number, tenantOf = (_i: number) => "acme"): RawSection {
  const entries = Array.from({ length: count }, (_, i) => entry(i, tenantOf(i)));
  return { key: "ragline:stream:orders", topic: "orders", entries };
}

/** With plain arrays for bytes, so that Buffers and views of a batch compare. */
function plain({ sections, deadLetters }: EncodedEvents): unknown {
  const records = (one: EncodedEvents["sections"][number]) =>
    one.records.map((record) => ({
      ...record,
      jsonTail: [...record.jsonTail],
      msgpackTail: [...record.msgpackTail],
    }));
  return { deadLetters, sections: sections.map((one) => ({ ...one, records: records(one) })) };
}

t.test("a read is encoded the same in place and in a thread", async (t) => {
  const inPlace = open(t, tokenRules, ALWAYS_IN_PLACE);
  const inThread = open(t, tokenRules, ALWAYS_IN_THREAD);
  const anyFields = fc.option(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 4 }), { nil: null });
  const anyEntry = fc.oneof(
    fc.nat(100).map((i) => entry(i)),
    anyFields.map((fields) => ({ id: "1700000000000-0", fields })),
  );
  const anySection = fc.record(
    { key: fc.string(), topic: fc.string(), entries: fc.array(anyEntry, { maxLength: 10 }) },
    { noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(anySection, { maxLength: 3 }), fc.boolean(), async (raw, msgpack) => {
      const outcomes = await Promise.all([inPlace, inThread].map((pool) => pool.encode(raw, { msgpack })));
      t.strictSame(plain(outcomes[1]!), plain(outcomes[0]!));
    }),
  );
});

t.test("both sides of the cut-over give the same, in the order of the entries", async (t) => {
  const pool = open(t);
  for (const count of [0, 1, ENCODE_IN_PLACE_UP_TO, ENCODE_IN_PLACE_UP_TO + 1, 500]) {
    const { sections, deadLetters } = await pool.encode([section(count)], { msgpack: true });
    const ids = section(count).entries.filter((_, i) => i % 7 < 5);
    t.strictSame(
      sections[0]?.records.map(({ id }) => id) ?? [],
      ids.map(({ id }) => id),
      `${count} entries`,
    );
    t.equal(deadLetters.length, section(count).entries.filter((_, i) => i % 7 === 6).length);
  }
});

t.test("a read goes to a thread when it has too many entries or too many bytes", async (t) => {
  const pool = open(t);
  const wasInPlace = async (raw: RawSection) => {
    const { sections } = await pool.encode([raw], { msgpack: false });
    // What comes from a thread are views of one batch.
    return Buffer.isBuffer(sections[0]!.records[0]!.jsonTail);
  };
  const sized = (bytes: number) => {
    const values = { event_type: "x", tenant_id: "acme" };
    const payload = JSON.stringify("x".repeat(bytes - "xacme".length - 2));
    return { ...section(0), entries: [{ id: "1-0", fields: fieldsOf({ ...values, payload }) }] };
  };
  t.equal(await wasInPlace(section(ENCODE_IN_PLACE_UP_TO)), true);
  t.equal(await wasInPlace(section(ENCODE_IN_PLACE_UP_TO + 1)), false);
  t.equal(await wasInPlace(sized(ENCODE_IN_PLACE_BYTES)), true);
  t.equal(await wasInPlace(sized(ENCODE_IN_PLACE_BYTES + 1)), false);
});

t.test("only the tenants asked for come back, in place and from a thread", async (t) => {
  const raw = [section(50, (i) => (i % 3 === 0 ? "acme" : "globex")), section(0)];
  const options = { msgpack: false, wants: (tenant: string) => tenant === "acme" };
  const outcomes: unknown[] = [];
  for (const inPlace of [ALWAYS_IN_THREAD, ALWAYS_IN_PLACE]) {
    const encoded = await open(t, tokenRules, inPlace).encode(raw, options);
    t.strictSame(
      [...new Set(encoded.sections.flatMap(({ records }) => records.map(({ tenant }) => tenant)))],
      ["acme"],
    );
    t.equal(encoded.sections[0]!.lastId, "1700000000000-49", "and the whole read is accounted for");
    outcomes.push(plain(encoded));
  }
  t.strictSame(outcomes[0], outcomes[1]);
});

t.test("what was read can still be used after it was encoded, for dead letters", async (t) => {
  const raw = [section(100)];
  await open(t, tokenRules, ALWAYS_IN_THREAD).encode(raw, { msgpack: false });
  t.strictSame(raw, [section(100)]);
});

t.test("reads encoded at the same time do not mix", async (t) => {
  const pool = open(t, tokenRules, ALWAYS_IN_THREAD, 2);
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, (_, n) => pool.encode([section(20 + n, () => `tenant-${n}`)], { msgpack: true })),
  );
  for (const [n, { sections }] of outcomes.entries()) {
    t.equal(sections[0]!.lastId, `1700000000000-${19 + n}`);
    t.ok(sections[0]!.records.every(({ tenant }) => tenant === `tenant-${n}`));
  }
});

t.test("verdicts come in the order of the tokens", async (t) => {
  const pool = open(t);
  const tokens = Array.from({ length: 100 }, (_, i) =>
    i % 3 === 0 ? `bad-${i}` : forgeToken(SECRET, claims(`t-${i}`)),
  );
  const verdicts = await pool.verifyTokens(tokens);
  for (const [i, verdict] of verdicts.entries()) {
    if (i % 3 === 0) t.strictSame(verdict, { refused: "token_invalid" });
    else t.match(verdict, { identity: { tenant: `t-${i}` } });
  }
  t.strictSame(await pool.verifyTokens([]), []);
});

t.test("a key server that does not answer keeps no event and no other token waiting", async (t) => {
  let answerAll = () => {};
  const answered = new Promise<void>((resolve) => {
    answerAll = resolve;
  });
  const good = keySet(...ALL_KEYS);
  const server = await startKeyServer(t, good);
  const pool = open(t, { jwksUrl: server.url, algorithms: ["ES256"], ...claimNames }, ALWAYS_IN_THREAD);
  const signed = (kid: string) => signWith(KEY_PAIRS.p256.privateKey, { alg: "ES256", kid }, claims("acme"));
  const verified = async (token: string) => {
    const [verdict] = await pool.verifyTokens([token]);
    return "identity" in verdict! && verdict;
  };
  await until("the keys to be read", () => verified(signed("ES256")));
  const rotated = jwkOf(KEY_PAIRS.p256, { kid: "new" });
  server.answer((request, response) => void answered.then(() => keySet(...ALL_KEYS, rotated)(request, response)));
  const asked = server.nextRequest();
  const verdicts = await pool.verifyTokens([signed("new"), signed("ES256")]);
  t.match(verdicts, [{ pending: true }, { identity: { tenant: "acme" } }]);
  await asked;
  const { sections } = await pool.encode([section(40)], { msgpack: false });
  t.equal(sections[0]!.lastId, "1700000000000-39");
  answerAll();
  t.match(await until("the new key to be read", () => verified(signed("new"))), { identity: { tenant: "acme" } });
});

t.test("closing lets what is under way finish", async (t) => {
  const pool = openPool(1, { tokenRules }, ALWAYS_IN_THREAD);
  const reads = Array.from({ length: 5 }, () => pool.encode([section(200)], { msgpack: true }));
  await Promise.all([pool.close(), ...reads]);
  for (const read of reads) t.equal((await read).sections[0]!.lastId, "1700000000000-199");
});
