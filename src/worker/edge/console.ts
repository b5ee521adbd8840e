import type { TemplatedApp } from "uWebSockets.js";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Headers, respond } from "./respond.js";

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
};

const SECURITY_HEADERS: Headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  // For browsers that know no frame-ancestors.
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

/** Adds the console page at `/` and its files below `/assets/`, all read once. */
export function addConsole(app: TemplatedApp, prefix: string): void {
  const root = fileURLToPath(new URL("../../browser", import.meta.url));
  addFile(app, `${prefix}/`, join(root, "console", "console.html"));
  for (const path of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    if ([".js", ".css"].includes(extname(path))) addFile(app, `${prefix}/assets/${path}`, join(root, path));
  }
  if (prefix === "") return;
  app.get(prefix, (response) => respond(response, 308, { location: `${prefix}/` }, ""));
}

function addFile(app: TemplatedApp, path: string, file: string): void {
  const body = readFileSync(file);
  const headers = { ...SECURITY_HEADERS, "content-type": CONTENT_TYPES[extname(file)]! };
  app.get(path, (response) => respond(response, 200, headers, body));
}
