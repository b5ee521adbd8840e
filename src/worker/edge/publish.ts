import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import { RefusalError } from "../../protocol/errors.js";
import { authorize } from "./authorize.js";
import { type EdgeContext, refuse } from "./context.js";
import { checkFraming, snapshot } from "./request.js";
import { respondJson, toRefusal } from "./respond.js";

/** Bytes of one request. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** Bytes of a refused request that are let in, and kept nowhere, so that its sender comes to read the answer. */
const MAX_DRAINED_BYTES = 32 * 1024 * 1024;

/** `POST /publish`. */
export function publishHandler(context: EdgeContext) {
  const { services, origins } = context;
  return async (response: HttpResponse, request: HttpRequest): Promise<void> => {
    const asked = snapshot(request);
    const body = new RequestBody(response, asked.contentLength);
    try {
      checkFraming(request);
      origins.check(asked.origin);
      const identity = await authorize(asked, services.authenticate);
      const bytes = await body.whole;
      const ids = await services.publish({ body: bytes, contentType: asked.contentType, identity });
      if (!body.isAborted) respondJson(response, 202, origins.headers(asked.origin), { ids });
    } catch (error) {
      body.drop();
      await body.over;
      const refusal = toRefusal(error, (defect) => services.log.error({ err: defect }, "publishing failed"));
      if (!body.isAborted) refuse(context, response, refusal, asked.origin);
    }
  };
}

/** The body of a request, as it comes in. */
class RequestBody {
  /** Rejects with RefusalError `too_large`. Never settles when the client goes away. */
  readonly whole: Promise<Uint8Array>;
  /**
   * Resolves once the client has sent all, has gone, or goes on for too long. Who is refused while still sending may lose
   * the answer, because uWebSockets.js closes the connection after it (RFC 9112 section 9.6).
   */
  readonly over: Promise<void>;
  isAborted = false;
  #chunks: Buffer[] = [];
  #received = 0;
  #isDropped = false;

  constructor(response: HttpResponse, announced: number) {
    let end = () => {};
    this.over = new Promise((resolve) => {
      end = resolve;
    });
    this.whole = new Promise((resolve, reject) => {
      const refuseSize = () => reject(new RefusalError("too_large", "A request has at most 8 MiB"));
      if (announced > MAX_BODY_BYTES) refuseSize();
      response.onAborted(() => {
        this.isAborted = true;
        this.drop();
        end();
      });
      response.onData((chunk, isLast) => {
        this.#received += chunk.byteLength;
        if (isLast || this.#received > MAX_DRAINED_BYTES) end();
        if (this.#isDropped) return;
        if (this.#received > MAX_BODY_BYTES) refuseSize();
        // The chunk's memory is taken back on return.
        else this.#chunks.push(Buffer.from(chunk.slice(0)));
        if (isLast) resolve(Buffer.concat(this.#chunks));
      });
    });
    // Whoever is refused before the body is read must not leave a rejection unseen.
    this.whole.catch(() => {});
  }

  /** What came is let go, and what follows is not kept. */
  drop(): void {
    this.#isDropped = true;
    this.#chunks = [];
  }
}
