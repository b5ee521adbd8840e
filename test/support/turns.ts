/** Some turns of the event loop: what was only waiting for one has happened by then. */
export async function turns(count: number): Promise<"waiting"> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
  return "waiting";
}
