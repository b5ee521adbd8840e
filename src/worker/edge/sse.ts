import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import type { Channel } from "../../protocol/channel.js";
import { RefusalError } from "../../protocol/errors.js";
import { makeFilter, type TypeFilter } from "../../protocol/filter.js";
import type { Identity } from "../../protocol/identity.js";
import { sseRetry } from "../../protocol/sse.js";
import { authorize } from "./authorize.js";
import { type EdgeContext, noteEnd, refuse } from "./context.js";
import { type RequestSnapshot, readTypes, snapshot } from "./request.js";
import { type Headers, toRefusal } from "./respond.js";
import { SseConnection } from "./sse-connection.js";

const STREAM_HEADERS: Headers = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  // nginx would hold events back otherwise.
  "x-accel-buffering": "no",
  "x-content-type-options": "nosniff",
};
const LEAST_RETRY_MS = 2_000;
const RETRY_SPREAD_MS = 3_000;

/** `GET /stream` and its kin. */
export function sseHandler(channel: Channel, context: EdgeContext) {
  return async (response: HttpResponse, request: HttpRequest): Promise<void> => {
    let aborted = false;
    response.onAborted(() => {
      aborted = true;
    });
    const asked = snapshot(request);
    const { services } = context;
    let prepared: Identity | null = null;
    try {
      const { identity, filter } = await admit(asked, channel, context);
      await services.prepare(identity, false);
      prepared = identity;
      services.refuseRevoked(identity);
      if (aborted) services.release(identity);
      else start(response, asked, { identity, filter, channel }, context);
    } catch (error) {
      if (prepared !== null) services.release(prepared);
      const refusal = toRefusal(error, (defect) => services.log.error({ err: defect }, "a stream could not be opened"));
      if (!aborted) refuse(context, response, refusal, asked.origin);
    }
  };
}

async function admit(
  asked: RequestSnapshot,
  channel: Channel,
  { services, connections, origins }: EdgeContext,
): Promise<{ identity: Identity; filter: TypeFilter }> {
  origins.check(asked.origin);
  services.checkOpen();
  if (connections.isOverloaded()) throw new RefusalError("overloaded");
  const filter = makeFilter(readTypes(asked.query) ?? channel.initialSubscriptions);
  const identity = await authorize(asked, services.authenticate);
  return { identity, filter };
}

function start(
  response: HttpResponse,
  asked: RequestSnapshot,
  who: { identity: Identity; filter: TypeFilter; channel: Channel },
  context: EdgeContext,
): void {
  const { services, connections, origins } = context;
  const connection = new SseConnection({
    response,
    ...who,
    maxBufferedBytes: services.settings.maxBufferedBytes,
    onClose: (closed) => {
      connections.remove(closed);
      services.close(closed);
      services.release(closed);
    },
    onEnd: (ended, code) => noteEnd(context, ended, code),
    onBehind: (behind, cursor) => services.fallBehind(behind, cursor),
    onBacklog: (slow) => connections.watchBacklog(slow),
  });
  connections.add(connection);
  response.cork(() => {
    response.writeStatus("200 OK");
    const headers = { ...STREAM_HEADERS, ...origins.headers(asked.origin) };
    for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
    response.write(sseRetry(LEAST_RETRY_MS + Math.floor(Math.random() * RETRY_SPREAD_MS)));
    services.open(connection, asked.lastEventId);
  });
}
