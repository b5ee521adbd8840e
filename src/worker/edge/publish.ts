import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { RefusalError } from "../../protocol/errors.js";
import { authorize } from "./authorize.js";
import { type EdgeContext, refuse } from "./context.js";
import { snapshot } from "./request.js";
import { respondJson, toRefusal } from "./respond.js";

/** Bytes of one request. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** `POST /publish`. */
export function publishHandler(context: EdgeContext) {
  const { services, origins } = context;
  return async (response: HttpResponse, request: HttpRequest): Promise<void> => {
    let aborted = false;
    const asked = snapshot(request);
    const body = readBody(response, asked.contentLength, () => {
      aborted = true;
    });
    // Whoever is refused before the body is read must not leave a rejection unseen.
    body.catch(() => {});
    try {
      origins.check(asked.origin);
      const identity = await authorize(asked, services.authenticate);
      const ids = await services.publish({ body: await body, contentType: asked.contentType, identity });
      if (!aborted) respondJson(response, 202, origins.headers(asked.origin), { ids });
    } catch (error) {
      const refusal = toRefusal(error, (defect) => services.log.error({ err: defect }, "publishing failed"));
      if (!aborted) refuse(context, response, refusal, asked.origin);
    }
  };
}

/** @throws RefusalError `too_large`. Never settles when the client goes away. */
function readBody(response: HttpResponse, announced: number, onAborted: () => void): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    const refuseSize = () => reject(new RefusalError("too_large", "A request has at most 8 MiB"));
    if (announced > MAX_BODY_BYTES) refuseSize();
    response.onAborted(onAborted);
    response.onData((chunk, isLast) => {
      received += chunk.byteLength;
      if (received > MAX_BODY_BYTES) refuseSize();
      // The chunk's memory is taken back on return.
      else chunks.push(Buffer.from(chunk.slice(0)));
      if (isLast) resolve(Buffer.concat(chunks));
    });
  });
}
