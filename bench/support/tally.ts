import type { DeliveryCounts } from "./load-messages.ts";
import { Samples } from "./samples.ts";

const COMPLAINTS_KEPT = 5;

/** What the connections of one process received since the last `restart`. */
export class Tally implements DeliveryCounts {
  deliveries = 0;
  /** Of messages with an event in them, without framing. */
  bytes = 0;
  /** Times a socket was read. */
  reads = 0;
  missing = 0;
  repeated = 0;
  foreign = 0;
  complaints: string[] = [];
  /** When the bytes that are being looked at came, in microseconds. */
  receivedAt = 0;
  readonly samples = new Samples();

  restart(sampleEvery: number): void {
    this.deliveries = this.bytes = this.reads = this.missing = this.repeated = this.foreign = 0;
    this.complaints = [];
    this.samples.restart(sampleEvery);
  }

  /** Something came that should not have. */
  complain(what: string): void {
    if (this.complaints.length < COMPLAINTS_KEPT) this.complaints.push(what);
  }
}
