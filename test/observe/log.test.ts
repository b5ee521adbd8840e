import { spawnSync } from "node:child_process";
import t from "tap";

const LOG = new URL("../../src/observe/log.ts", import.meta.url).href;

/** What the log writes to standard output of a process of its own. */
function logged(statements: string): string {
  const script = `import { openLog } from ${JSON.stringify(LOG)}; const log = openLog("trace", { worker: 1 }); ${statements}`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--import=tsx", "--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  return stdout + stderr;
}

t.test("values under the names of secrets are never written", async (t) => {
  const output = logged(`
    log.info({ token: "s3cret", authorization: "s3cret", password: "s3cret", secret: "s3cret" }, "one");
    log.info({ request: { token: "s3cret", authorization: "s3cret", password: "s3cret", secret: "s3cret" } }, "two");
    log.child({ token: "s3cret" }).info("three");`);
  t.notMatch(output, /s3cret/);
  for (const message of ["one", "two", "three"]) t.match(output, `"msg":"${message}"`);
});

t.test("an error is written without what hangs on it: commands with their passwords", async (t) => {
  const output = logged(`
    const error = Object.assign(new Error("refused"), { command: { name: "auth", args: ["s3cret"] }, cause: "s3cret" });
    log.warn({ err: error }, "failed");
    log.warn({ err: "text" }, "failed");`);
  t.notMatch(output, /s3cret/);
  t.match(output, /"message":"refused"/);
});
