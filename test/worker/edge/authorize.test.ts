import t from "tap";
import { RefusalError } from "../../../src/protocol/errors.ts";
import type { Identity } from "../../../src/protocol/identity.ts";
import { authorize } from "../../../src/worker/edge/authorize.ts";
import type { RequestSnapshot } from "../../../src/worker/edge/request.ts";

type Asked = { authorization?: string; query?: string; subprotocols?: string[] };

function requestWith({ authorization = "", query = "", subprotocols = [] }: Asked): RequestSnapshot {
  return {
    query: new URLSearchParams(query),
    authorization,
    origin: "",
    lastEventId: null,
    contentType: "",
    contentLength: 0,
    subprotocols,
  };
}

/** The token that is shown to whoever verifies. */
async function tokenOf(asked: Asked): Promise<string> {
  let shown = "";
  await authorize(requestWith(asked), async (token) => {
    shown = token;
    return IDENTITY;
  });
  return shown;
}

const IDENTITY: Identity = { tenant: "acme", user: "u1", expiresAt: 0, roles: [] };

t.test("the token is found in the header, the query or the subprotocols", async (t) => {
  t.equal(await tokenOf({ authorization: "Bearer a.b.c" }), "a.b.c");
  t.equal(await tokenOf({ authorization: "bearer a.b.c" }), "a.b.c", "the scheme is not case-sensitive");
  t.equal(await tokenOf({ query: "token=a.b.c" }), "a.b.c");
  t.equal(await tokenOf({ query: "access_token=a.b.c" }), "a.b.c");
  t.equal(await tokenOf({ subprotocols: ["ragline.json.v1", "ragline.bearer.a.b.c"] }), "a.b.c");
});

t.test("the first place that holds one counts", async (t) => {
  const subprotocols = ["ragline.bearer.4"];
  const query = "access_token=3&token=2";
  t.equal(await tokenOf({ authorization: "Bearer 1", query, subprotocols }), "1");
  t.equal(await tokenOf({ query, subprotocols }), "2");
  t.equal(await tokenOf({ query: "token=&access_token=3", subprotocols }), "3");
  t.equal(await tokenOf({ authorization: "Basic dTpw", subprotocols }), "4", "another scheme holds none");
});

t.test("without a token there is nothing to verify", async (t) => {
  const empty: Asked[] = [
    {},
    { authorization: "Bearer" },
    { authorization: "Bearer " },
    { authorization: "Basic dTpw" },
    { query: "token=" },
    { subprotocols: ["ragline.json.v1", "ragline.bearer."] },
  ];
  for (const asked of empty) {
    await t.rejects(tokenOf(asked), { code: "auth_required", message: "Authentication required" });
  }
});

t.test("who is asking is what the token says, and a refusal is passed on", async (t) => {
  const asked = requestWith({ query: "token=a" });
  t.equal(await authorize(asked, async () => IDENTITY), IDENTITY);
  const refuse = async () => Promise.reject(new RefusalError("token_expired"));
  await t.rejects(authorize(asked, refuse), { code: "token_expired" });
});
