/**
 * Text of an event stream (WHATWG HTML, section 9.2 "Server-sent events"). `type` and `id` must hold no line end, which
 * the parsers of event.ts and cursor.ts see to; JSON.stringify writes `data` on one line.
 */
export function sseEvent(type: string, data: unknown, id?: string): string {
  const idLine = id === undefined ? "" : `id: ${id}\n`;
  return `event: ${type}\n${idLine}data: ${JSON.stringify(data)}\n\n`;
}

/** Milliseconds a browser waits before it reconnects by itself. */
export function sseRetry(milliseconds: number): string {
  return `retry: ${milliseconds}\n\n`;
}

/** What stands before and after the payload of an event. */
export function sseEventHead(type: string, id: string): string {
  return `event: ${type}\nid: ${id}\ndata: `;
}

export const SSE_EVENT_END = "\n\n";
