import type { SseConnection } from "./sse-connection.js";

/** All SSE connections that get the same bytes: everything of one turn goes to each in one write. */
export class SseAudience {
  readonly #members = new Set<SseConnection>();
  #frames: Uint8Array[] = [];
  #firstCursor = "";

  add(member: SseConnection): void {
    this.#members.add(member);
  }

  remove(member: SseConnection): void {
    this.#members.delete(member);
  }

  write(frame: Uint8Array, cursor: string): void {
    if (this.#frames.length === 0) this.#firstCursor = cursor;
    this.#frames.push(Uint8Array.from(frame));
  }

  flush(): void {
    if (this.#frames.length === 0) return;
    const joined = this.#frames.length === 1 ? this.#frames[0]! : Buffer.concat(this.#frames);
    this.#frames = [];
    for (const member of this.#members) member.send(joined, this.#firstCursor);
  }
}
