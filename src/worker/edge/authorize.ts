import { RefusalError } from "../../protocol/errors.js";
import type { Identity } from "../../protocol/identity.js";
import { BEARER_PROTOCOL_PREFIX } from "../../protocol/websocket.js";
import type { RequestSnapshot } from "./request.js";

/**
 * Who is asking: the token of the `Authorization` header (RFC 6750 section 2.1), else of the query, else of the offered
 * subprotocols. @throws RefusalError `auth_required`, or what `authenticate` throws.
 */
export async function authorize(
  request: RequestSnapshot,
  authenticate: (token: string) => Promise<Identity>,
): Promise<Identity> {
  const token = findToken(request);
  if (token === null) throw new RefusalError("auth_required");
  return authenticate(token);
}

function findToken({ authorization, query, subprotocols }: RequestSnapshot): string | null {
  const [, credentials] = BEARER.exec(authorization) ?? [];
  if (credentials !== undefined) return credentials;
  const offered = subprotocols.find((name) => name.startsWith(BEARER_PROTOCOL_PREFIX));
  return query.get("token") || query.get("access_token") || offered?.slice(BEARER_PROTOCOL_PREFIX.length) || null;
}

/** RFC 9110 section 11.4: the scheme in any case, then one or more spaces. */
const BEARER = /^bearer +(\S+)$/i;
