import type { EntryId } from "../../protocol/entry-id.js";
import type { StreamRef } from "../../protocol/stream.js";
import type { Intake } from "./intake.js";
import { readsOf } from "./reads.js";

export interface ReadersOptions {
  readonly mode: "standalone" | "cluster" | "sentinel";
  /** Starts reading streams that one XREADGROUP can name. */
  readonly open: (streams: readonly StreamRef[], known: ReadonlyMap<string, EntryId>, continues: boolean) => Intake;
}

interface Reader {
  readonly streams: readonly StreamRef[];
  readonly intake: Intake;
}

/** All that a worker reads. Streams come and go; those that stay are read on after a moment. */
export class Readers {
  readonly #options: ReadersOptions;
  readonly #streams = new Map<string, StreamRef>();
  #readers: Reader[] = [];
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: ReadersOptions) {
    this.#options = options;
  }

  /** Whether the last attempt to read got an answer, for every stream. */
  get isReading(): boolean {
    return this.#readers.every(({ intake }) => intake.isReading);
  }

  /** What keeps delivery from being proven. Empty: nothing. */
  get problems(): string[] {
    return this.#readers.flatMap(({ intake }) => intake.problem ?? []);
  }

  /** @param known about where the streams stand, as far as that is known. */
  take(streams: readonly StreamRef[], known: ReadonlyMap<string, EntryId>): Promise<void> {
    return this.#change(async () => {
      for (const stream of streams) this.#streams.set(stream.key, stream);
      await this.#regroup(known);
    });
  }

  /** Resolves once they are no longer read, and everything read of them is delivered. @returns where they stand. */
  release(keys: readonly string[]): Promise<Map<string, EntryId>> {
    return this.#change(async () => {
      for (const key of keys) this.#streams.delete(key);
      const processed = await this.#regroup(new Map());
      return new Map([...processed].filter(([key]) => keys.includes(key)));
    });
  }

  /** Resolves once everything read so far has been delivered. */
  async settled(): Promise<void> {
    await Promise.all(this.#readers.map(({ intake }) => intake.settled()));
  }

  stop(): Promise<void> {
    return this.#change(async () => {
      await Promise.all(this.#readers.map(({ intake }) => intake.stop()));
    });
  }

  #change<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#changing.then(change);
    this.#changing = changed.catch(() => {});
    return changed;
  }

  /** Ends every reader whose streams are not the same as before, and opens those that are missing. */
  async #regroup(known: ReadonlyMap<string, EntryId>): Promise<Map<string, EntryId>> {
    const wanted = readsOf([...this.#streams.values()], this.#options.mode);
    const isWanted = ({ streams }: Reader) => wanted.some((read) => sameStreams(read, streams));
    const [kept, ended] = [this.#readers.filter(isWanted), this.#readers.filter((reader) => !isWanted(reader))];
    await Promise.all(ended.map(({ intake }) => intake.stop()));
    const lately = new Map([...known, ...ended.flatMap(({ intake }) => [...intake.known])]);
    const wereReading = new Set(
      ended.filter(({ intake }) => intake.isReading).flatMap(({ streams }) => streams.map(({ key }) => key)),
    );
    const missing = wanted.filter((read) => !kept.some(({ streams }) => sameStreams(read, streams)));
    const opened = missing.map((streams): Reader => {
      const continues = streams.some(({ key }) => wereReading.has(key));
      const own = streams.flatMap(({ key }): [string, EntryId][] => {
        const id = lately.get(key);
        return id === undefined ? [] : [[key, id]];
      });
      return { streams, intake: this.#options.open(streams, new Map(own), continues) };
    });
    this.#readers = [...kept, ...opened];
    return new Map(ended.flatMap(({ intake }) => [...intake.processed]));
  }
}

function sameStreams(a: readonly StreamRef[], b: readonly StreamRef[]): boolean {
  return a.length === b.length && a.every(({ key }, i) => key === b[i]!.key);
}
