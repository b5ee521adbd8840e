import type { SseConnection } from "./sse-connection.js";

/** What is written to a connection before it is looked at again how much of that is unsent. */
const GROUP_BYTES = 64 * 1024;

/** Frames that go out in one write. */
interface Group {
  readonly firstCursor: string;
  readonly frames: Uint8Array[];
  bytes: number;
}

/** All SSE connections that get the same bytes: what comes up in one turn goes to each in one write, or in a few. */
export class SseAudience {
  readonly #members = new Set<SseConnection>();
  #groups: Group[] = [];

  add(member: SseConnection): void {
    this.#members.add(member);
  }

  remove(member: SseConnection): void {
    this.#members.delete(member);
  }

  write(frame: Uint8Array, cursor: string): void {
    let group = this.#groups.at(-1);
    if (group === undefined || group.bytes + frame.length > GROUP_BYTES) {
      group = { firstCursor: cursor, frames: [], bytes: 0 };
      this.#groups.push(group);
    }
    group.frames.push(Uint8Array.from(frame));
    group.bytes += frame.length;
  }

  flush(): void {
    const groups = this.#groups;
    this.#groups = [];
    for (const { firstCursor, frames } of groups) {
      const joined = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
      // Who has too much unsent leaves here, and gets nothing of the next group.
      for (const member of this.#members) member.send(joined, firstCursor);
    }
  }
}
