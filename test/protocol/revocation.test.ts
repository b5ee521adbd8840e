import fc from "fast-check";
import t from "tap";
import { parseRevocation, type Revocation, revocationFields } from "../../src/protocol/revocation.ts";

const bytes = (...fields: string[]) => fields.map((field) => Buffer.from(field));
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((text) => !text.startsWith("\ufeff"));

t.test("what is written is read back, whatever the names", async (t) => {
  const optional = { requiredKeys: ["tenant", "until"] } as { requiredKeys: ["tenant", "until"] };
  const revocation = fc.record({ tenant: name, user: name, tokenId: name, until: fc.nat() }, optional);
  fc.assert(
    fc.property(revocation, (value) => {
      t.strictSame(parseRevocation(bytes(...revocationFields(value as Revocation))), { ...value });
    }),
  );
});

t.test("the order of fields does not matter, and others are passed over", async (t) => {
  const fields = bytes("until", "7", "reason", "lost laptop", "tenant_id", "acme", "op", "revoke");
  t.strictSame(parseRevocation(fields), { tenant: "acme", until: 7 });
});

t.test("what is not wholly understood revokes nothing, and never more than was meant", async (t) => {
  const whole = ["op", "revoke", "tenant_id", "acme", "until", "7"];
  t.ok(parseRevocation(bytes(...whole)));
  for (const wrong of [
    [],
    ["op", "revoke"],
    ["op", "Revoke", ...whole.slice(2)],
    whole.slice(2),
    whole.slice(0, 4),
    [...whole, "user_id", ""],
    [...whole, "user_id", "u".repeat(257)],
    [...whole, "jti", ""],
    [...whole, "tenant_id", ""],
    ...["", "-1", "soon", "1e9", "Infinity", "9".repeat(16), " 7"].map((until) => [...whole, "until", until]),
  ]) {
    t.equal(parseRevocation(bytes(...wrong)), null, JSON.stringify(wrong));
  }
  t.equal(parseRevocation([...bytes(...whole, "user_id"), Buffer.from([0xff])]), null, "not UTF-8");
});
