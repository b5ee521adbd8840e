import t from "tap";
import { Slots } from "../../../src/worker/resume/slots.ts";

/** Tasks that run until they are told to end. */
function openTasks(slots: Slots) {
  const running: { name: string; end: () => void }[] = [];
  const start = (tenant: string, name: string) =>
    slots.run(tenant, () => new Promise<string>((resolve) => running.push({ name, end: () => resolve(name) })));
  const names = () => running.map(({ name }) => name);
  const end = async (name: string) => {
    const [task] = running.splice(names().indexOf(name), 1);
    task!.end();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { start, names, end };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

t.test("only so many tasks run, of one tenant and of all; the others wait for their tenant's turn", async (t) => {
  const { start, names, end } = openTasks(new Slots({ total: 3, perTenant: 2 }));
  const all = ["a1", "a2", "a3", "a4", "b1", "b2", "c1"].map((name) => start(name[0]!, name));
  await settled();
  t.strictSame(names(), ["a1", "a2", "b1"]);
  await end("a1");
  t.strictSame(names(), ["a2", "b1", "a3"]);
  await end("a2");
  t.strictSame(names(), ["b1", "a3", "b2"], "the others come before a has its next turn");
  await end("a3");
  t.strictSame(names(), ["b1", "b2", "c1"]);
  await end("b1");
  t.strictSame(names(), ["b2", "c1", "a4"]);
  for (const name of ["b2", "c1", "a4"]) await end(name);
  t.strictSame(await Promise.all(all), ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]);
});

t.test("a task that fails gives its place back", async (t) => {
  const slots = new Slots({ total: 1, perTenant: 1 });
  const failing = slots.run("a", () => Promise.reject(new Error("no")));
  const next = slots.run("a", async () => "yes");
  await t.rejects(failing, /no/);
  t.equal(await next, "yes");
});
