import { RefusalError } from "../protocol/errors.js";
import type { Identity } from "../protocol/identity.js";
import { parseBody } from "./body.js";
import { checkItems } from "./item.js";
import type { WriteEvents } from "./write.js";

/** One `POST /publish`. */
export interface PublishRequest {
  readonly body: Uint8Array;
  /** As in the header; empty when there is none. */
  readonly contentType: string;
  readonly identity: Identity;
}

export type PublishBody = (request: PublishRequest) => Promise<string[]>;

/**
 * Publishes the body of a request for the bearer of a token: for its own tenant with the role `publisher`, for any with
 * `service`.
 *
 * @param takeRate throws RefusalError rate_limited when the bearer's tenant has published too much lately.
 * @returns entry ids in the order of the items
 * @throws RefusalError forbidden, bad_request, too_large, rate_limited or unavailable; then nothing was added (in a cluster
 *   see WriteEvents)
 */
export function makeBodyPublisher(
  topics: readonly string[],
  write: WriteEvents,
  takeRate: (tenant: string, events: number) => Promise<void>,
): PublishBody {
  return async ({ body, contentType, identity }) => {
    const anyTenant = identity.roles.includes("service");
    if (!anyTenant && !identity.roles.includes("publisher")) {
      throw new RefusalError("forbidden", "publishing needs the role publisher or service");
    }
    const items = parseBody(body, contentType);
    const events = await checkItems(items, { topics, ownTenant: identity.tenant, anyTenant });
    await takeRate(identity.tenant, events.length);
    return write(events);
  };
}
