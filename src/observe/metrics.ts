import {
  AggregatorRegistry,
  Counter,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from "prom-client";

/** What a worker sends its primary: every metric with its values. */
export type MetricsSnapshot = MetricObjectWithValues<MetricValue<string>>[];

/** The figures of one worker. */
export interface WorkerMetrics {
  eventsRead(count: number): void;
  deadLetter(reason: string): void;
  /** A request, message or connection was refused or ended with a code of the refusal table. */
  refused(code: string): void;
  connections(totals: { sse: number; websocket: number }): void;
  snapshot(): Promise<MetricsSnapshot>;
}

export function openWorkerMetrics(): WorkerMetrics {
  const registry = new Registry();
  const registers = [registry];
  const eventsRead = new Counter({
    name: "ragline_gateway_events_read_total",
    help: "Stream entries read and delivered to the hub and the siblings",
    registers,
  });
  const deadLetters = new Counter({
    name: "ragline_gateway_dead_letters_total",
    help: "Entries that could be delivered to nobody",
    labelNames: ["reason"],
    registers,
  });
  const refusals = new Counter({
    name: "ragline_gateway_refusals_total",
    help: "Requests, messages and connections refused or ended, by code",
    labelNames: ["code"],
    registers,
  });
  const connections = new Gauge({
    name: "ragline_gateway_connections",
    help: "Open connections",
    labelNames: ["transport"],
    registers,
  });
  return {
    eventsRead: (count) => eventsRead.inc(count),
    deadLetter: (reason) => deadLetters.inc({ reason }),
    refused: (code) => refusals.inc({ code }),
    connections: ({ sse, websocket }) => {
      connections.set({ transport: "sse" }, sse);
      connections.set({ transport: "websocket" }, websocket);
    },
    snapshot: () => registry.getMetricsAsJSON(),
  };
}

/** Sums up all workers, in the text format of Prometheus. */
export async function exposeMetrics(
  snapshots: readonly MetricsSnapshot[],
): Promise<{ contentType: string; text: string }> {
  const registry = AggregatorRegistry.aggregate([...snapshots]);
  return { contentType: registry.contentType, text: await registry.metrics() };
}
