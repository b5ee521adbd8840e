import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import t, { type Test } from "tap";
import { makeSocketDirectory } from "../../src/primary/socket-directory.ts";

/** A directory for temporary files with these directories in it, each of which holds a file. */
function openParent(t: Test, ...names: string[]): string {
  const parent = mkdtempSync(join(tmpdir(), "ragline-sockets-"));
  t.teardown(() => rmSync(parent, { recursive: true, force: true }));
  for (const name of names) {
    mkdirSync(join(parent, name));
    writeFileSync(join(parent, name, "1.sock"), "");
  }
  return parent;
}

/** The number of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ["--version"]).pid;
}

t.test("the directory is new, named after the process, and only its own user can enter it", async (t) => {
  const parent = openParent(t);
  const umask = process.umask(0);
  const path = makeSocketDirectory(parent);
  process.umask(umask);
  t.equal(dirname(path), parent);
  t.ok(basename(path).startsWith(`ragline-gateway-${process.pid}-`));
  t.equal(statSync(path).mode & 0o7777, 0o700);
  t.strictSame(readdirSync(path), []);
});

t.test("without a place named, it is made where temporary files are", async (t) => {
  const parent = openParent(t);
  const { TMPDIR } = process.env;
  t.teardown(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  process.env.TMPDIR = parent;
  t.equal(dirname(makeSocketDirectory()), parent);
});

t.test("what a gateway left behind that is dead goes, with all that is in it", async (t) => {
  const stale = `ragline-gateway-${deadPid()}-aaaaaa`;
  const parent = openParent(t, stale);
  const path = makeSocketDirectory(parent);
  t.notOk(existsSync(join(parent, stale)));
  t.strictSame(readdirSync(parent), [basename(path)]);
});

t.test("what belongs to a gateway that may still run stays", async (t) => {
  const living = [`ragline-gateway-${process.ppid}-aaaaaa`, "ragline-gateway-1-bbbbbb"];
  const parent = openParent(t, ...living);
  makeSocketDirectory(parent);
  for (const name of living) t.ok(existsSync(join(parent, name, "1.sock")), name);
});

t.test("what the process before us left that had our own number goes", async (t) => {
  const stale = `ragline-gateway-${process.pid}-aaaaaa`;
  const parent = openParent(t, stale);
  makeSocketDirectory(parent);
  t.notOk(existsSync(join(parent, stale)));
});

t.test("what is not a gateway's stays", async (t) => {
  const pid = deadPid();
  const others = [`gateway-${pid}-a`, `my-ragline-gateway-${pid}-a`, "ragline-gateway-x-a", `ragline-gateway-${pid}`];
  const parent = openParent(t, ...others);
  makeSocketDirectory(parent);
  for (const name of others) t.ok(existsSync(join(parent, name)), name);
});
