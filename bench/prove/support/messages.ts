import { unpackMessage } from "../../../src/protocol/msgpack.ts";

/** The payload of every event of a proof. */
export interface Mark {
  readonly tenant: number;
  readonly stream: number;
  /** Number among the tenant's events of the stream. */
  readonly n: number;
  /** When it was sent, microseconds of `nowMicros`. */
  readonly at: number;
  /** Makes it as long as it should be. */
  readonly pad?: string;
}

/** What a client heard, by whichever transport. */
export type Heard =
  | { readonly kind: "event"; readonly id: string; readonly mark: Mark }
  | { readonly kind: "gap"; readonly topic: string; readonly reason: string }
  | { readonly kind: "connected" | "heartbeat"; readonly id: string }
  | { readonly kind: "reconnect"; readonly retryMs: number }
  | { readonly kind: "error"; readonly code: string }
  /** `retry:` and comments. */
  | { readonly kind: "nothing" };

type Values = Readonly<Record<string, unknown>>;

/** One event of an event stream, without the blank line after it. @throws Error when it is none of the protocol's. */
export function readSse(bytes: Buffer, start: number, end: number): Heard {
  let [event, id, data] = ["", "", ""];
  for (const line of bytes.toString("utf8", start, end).split("\n")) {
    if (line.startsWith("data: ")) data = line.slice(6);
    else if (line.startsWith("id: ")) id = line.slice(4);
    else if (line.startsWith("event: ")) event = line.slice(7);
    else if (line !== ":" && line !== "" && !line.startsWith("retry: ")) throw new Error(`not understood: ${line}`);
  }
  if (event === "") return { kind: "nothing" };
  const values = JSON.parse(data) as Values;
  return readControl(event, id, values) ?? { kind: "event", id: cursor(id), mark: values as unknown as Mark };
}

/** One message. @throws Error when it is none of the protocol's. */
export function readWebSocket(bytes: Buffer, start: number, end: number, format: "json" | "msgpack"): Heard {
  const message =
    format === "json" ? JSON.parse(bytes.toString("utf8", start, end)) : unpackMessage(bytes.subarray(start, end));
  const { type, id = "", data } = message as { type: string; id?: string; data?: Mark };
  if (type === "event" || type === "order_event") return { kind: "event", id: cursor(id), mark: data! };
  const control = readControl(type === "ping" ? "heartbeat" : type, id, message as Values);
  if (control === null) throw new Error(`not understood: ${type}`);
  return control;
}

function readControl(type: string, id: string, values: Values): Heard | null {
  switch (type) {
    case "connected":
    case "heartbeat":
      return { kind: type, id: cursor(id) };
    case "gap":
      return { kind: "gap", topic: String(values.stream), reason: String(values.reason) };
    case "reconnect":
      return { kind: "reconnect", retryMs: Number(values.retry_ms) };
    case "error":
      return { kind: "error", code: String(values.code) };
    default:
      return null;
  }
}

const CURSOR = /^[A-Za-z0-9._~-]{1,256}$/;

function cursor(id: string): string {
  if (!CURSOR.test(id)) throw new Error(`not a cursor: ${id.slice(0, 300)}`);
  return id;
}
