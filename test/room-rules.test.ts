import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BIOME = join(ROOT, "node_modules/.bin/biome");

interface Case {
  readonly room: string;
  readonly module: string;
  readonly allowed: boolean;
}

const may = (room: string, ...modules: string[]): Case[] => modules.map((module) => ({ room, module, allowed: true }));
const mayNot = (room: string, ...modules: string[]): Case[] =>
  modules.map((module) => ({ room, module, allowed: false }));

const CASES: readonly Case[] = [
  ...mayNot("worker/fanout", "ioredis", "../../redis/connect.js", "../edge/app.js", "../intake/intake.js"),
  ...may("worker/fanout", "../../protocol/cursor.js", "./hub.js", "node:net"),
  ...mayNot("worker/intake", "ioredis", "../fanout/hub.js", "uWebSockets.js"),
  ...may("worker/intake", "../../redis/streams.js", "node:timers/promises"),
  ...mayNot("worker/resume", "uWebSockets.js", "../edge/app.js"),
  ...mayNot("worker/catch-up", "uWebSockets.js", "../edge/app.js", "../../redis/connect.js"),
  ...may("worker/catch-up", "../fanout/hub.js", "../resume/history.js"),
  ...mayNot("worker/control", "ioredis", "../edge/app.js", "../fanout/hub.js"),
  ...may("worker/control", "../../redis/control-stream.js"),
  ...mayNot("worker/edge", "../../redis/connect.js", "piscina", "../fanout/hub.js"),
  ...may("worker/edge", "uWebSockets.js"),
  ...mayNot("primary", "../worker/worker.js", "uWebSockets.js"),
  ...mayNot("protocol", "node:buffer", "../redis/keys.js"),
  ...may("protocol", "msgpackr"),
  ...mayNot("publisher", "ioredis"),
  ...may("redis", "ioredis"),
  ...mayNot("pool", "../redis/connect.js"),
  ...may("pool", "piscina", "fast-jwt"),
  ...mayNot("browser", "msgpackr", "node:fs"),
];

/** Lints one file per case, each importing its module, under the rules of this project. @returns the files refused. */
function refusedFiles(folder: string): Set<string> {
  cpSync(join(ROOT, ".biome.jsonc"), join(folder, ".biome.jsonc"));
  for (const [n, { room, module }] of CASES.entries()) {
    write(join(folder, fileOf(n, room)), `import * as it from "${module}";\n\nexport { it };\n`);
  }
  write(join(folder, "src/worker/edge/environment.ts"), "export const x = process.env.X;\n");
  write(join(folder, "src/config.ts"), "export const x = process.env.X;\n");
  const args = ["lint", "--vcs-enabled=false", "--reporter=json", "--max-diagnostics=none", "src"];
  const { stdout } = spawnSync(BIOME, args, { cwd: folder, encoding: "utf8" });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { category: string; location: { path: unknown } }[] };
  const ofRooms = diagnostics.filter(({ category }) => /noRestrictedImports|noProcessEnv/.test(category));
  return new Set(ofRooms.map(({ location }) => /src\/[\w./-]+\.ts/.exec(JSON.stringify(location.path))![0]));
}

function fileOf(n: number, room: string): string {
  return `src/${room}/case-${n}.ts`;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

t.test("the linter keeps every room to what it may import", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ragline-rooms-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const refused = refusedFiles(folder);
  for (const [n, { room, module, allowed }] of CASES.entries()) {
    t.equal(!refused.has(fileOf(n, room)), allowed, `${room} ${allowed ? "may" : "may not"} import ${module}`);
  }
  t.ok(refused.has("src/worker/edge/environment.ts"), "the environment is not read elsewhere");
  t.notOk(refused.has("src/config.ts"), "but in config.ts");
});
