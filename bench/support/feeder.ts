import { Child } from "./child.ts";
import type { Fed, FeederAnswer, FeederRequest, FeedPlan } from "./feed-messages.ts";

const OPEN_WITHIN_MS = 20_000;
/** Beyond the time the events take by themselves. */
const LATE_BY_MS = 30_000;

/** Adds events to Redis at a fixed rate, from a process of its own on the clients' cores. */
export class Feeder {
  readonly #child: Child<FeederRequest, FeederAnswer> = new Child("./feeder-process.ts");

  /** Events so far, by tenant. */
  sent: Uint32Array = new Uint32Array(0);

  get pid(): number {
    return this.#child.pid;
  }

  async open(redisPort: number, plan: FeedPlan): Promise<void> {
    this.sent = new Uint32Array(Math.max(...plan.lanes.map(({ firstTenant, tenants }) => firstTenant + tenants)));
    await this.#child.ask({ kind: "open", redisPort, plan }, "ready", OPEN_WITHIN_MS);
  }

  /** Adds so many events, evenly. @param rate events per second. */
  async feed(rate: number, events: number): Promise<Fed> {
    const withinMs = (events / rate) * 1e3 + LATE_BY_MS;
    const { fed } = await this.#child.ask({ kind: "feed", rate, events }, "fed", withinMs);
    this.sent = fed.sent;
    return fed;
  }
}
