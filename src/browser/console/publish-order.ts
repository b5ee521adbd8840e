/**
 * Publishes an order of the token's tenant.
 *
 * @returns what became of it, in a sentence
 */
export async function publishOrder(gateway: URL, token: string): Promise<{ isPublished: boolean; sentence: string }> {
  const event = {
    topic: "orders",
    event_type: "order_created",
    payload: {
      order_id: `demo-${crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36)}`,
      status: "created",
      total: 42.5,
      currency: "EUR",
      published_at: new Date().toISOString(),
    },
  };
  try {
    const response = await fetch(new URL("publish", gateway), {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(event),
    });
    if (response.ok) return { isPublished: true, sentence: `Published order ${event.payload.order_id}.` };
    return { isPublished: false, sentence: `Not published: ${await refusalText(response)}.` };
  } catch {
    return { isPublished: false, sentence: "Not published: the gateway cannot be reached." };
  }
}

async function refusalText(response: Response): Promise<string> {
  const body = await response.json().catch(() => undefined);
  const { code, message } = Object(body?.error);
  return code ? `${message} (${code})` : `HTTP status ${response.status}`;
}
