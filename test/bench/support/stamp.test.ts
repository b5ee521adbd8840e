import fc from "fast-check";
import t from "tap";
import { LEAST_PAYLOAD_BYTES, StampReader, tenantName } from "../../../bench/support/stamp.ts";
import { XaddTemplate } from "../../../bench/support/xadd-template.ts";
import { unpackMessage } from "../../../src/protocol/msgpack.ts";

const anyStamp = fc
  .tuple(fc.nat(999_999), fc.nat(2_000_000_000), fc.nat(2 ** 31 - 1))
  .map(([tenant, number, milliseconds]) => ({ tenant, number, time: milliseconds * 1e3 }));

/** Names and values of the entry a command adds. */
function entryOf(command: Buffer): Map<string, Buffer> {
  const parts: Buffer[] = [];
  for (let at = command.indexOf("$"); at < command.length; ) {
    const lineEnd = command.indexOf("\r\n", at);
    const length = Number(command.toString("latin1", at + 1, lineEnd));
    parts.push(command.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  const fields = parts.slice("XADD stream *".split(" ").length);
  return new Map(fields.flatMap((field, i) => (i % 2 === 0 ? [[String(field), fields[i + 1]!]] : [])));
}

function write(template: XaddTemplate, { tenant, number, time }: { tenant: number; number: number; time: number }) {
  const bytes = Buffer.alloc(template.length + 3);
  template.write(bytes, 3, tenant, number, time);
  return entryOf(bytes.subarray(3));
}

for (const form of ["fields", "lean"] as const) {
  t.test(
    `what an entry of the form "${form}" was stamped with is read from its payload, wherever that stands`,
    async (t) => {
      const template = new XaddTemplate("stream", form, 256);
      const reader = new StampReader();
      fc.assert(
        fc.property(anyStamp, fc.string(), fc.string(), (stamp, before, after) => {
          const entry = write(template, stamp);
          const payload = entry.get("payload")!;
          t.equal(payload.length, 256);
          t.equal(String(entry.get("tenant_id")), tenantName(stamp.tenant));
          const message = Buffer.concat([Buffer.from(`#${before}`), payload, Buffer.from(`${after}#`)]);
          t.ok(reader.read(message, 1, message.length - 1));
          t.strictSame({ tenant: reader.tenant, number: reader.number, time: reader.sentAt() }, stamp);
        }),
      );
    },
  );
}

t.test("a compact entry holds the same payload", async (t) => {
  const compact = new XaddTemplate("stream", "compact", 256);
  const fields = new XaddTemplate("stream", "fields", 256);
  fc.assert(
    fc.property(anyStamp, (stamp) => {
      const entry = unpackMessage(write(compact, stamp).get("m")!) as { payload: unknown; tenant_id: string };
      t.equal(JSON.stringify(entry.payload), String(write(fields, stamp).get("payload")));
      t.equal(entry.tenant_id, tenantName(stamp.tenant));
    }),
  );
});

t.test("a message without a stamp is not taken for one, whatever was read before", async (t) => {
  const reader = new StampReader();
  const payload = write(new XaddTemplate("stream", "lean", LEAST_PAYLOAD_BYTES), { tenant: 1, number: 2, time: 3 }).get(
    "payload",
  )!;
  t.ok(reader.read(payload, 0, payload.length));
  t.notOk(reader.read(Buffer.from(`{"type":"ping"}`.padEnd(200)), 0, 200));
  t.notOk(reader.read(payload, 0, payload.length - 1), "one that is cut");
});
