import { setTimeout as delay } from "node:timers/promises";
import { type Command, Option } from "commander";
import { type RefusalCode, RefusalError } from "../protocol/errors.js";
import { CommandError } from "./command-error.js";
import type { Follow, Message } from "./follow.js";
import { followSse } from "./follow-sse.js";
import { followWebSocket } from "./follow-websocket.js";
import { signedToken } from "./signed-token.js";

interface TailOptions {
  readonly ws?: boolean;
  readonly path?: string;
  readonly url: string;
  readonly token?: string;
  readonly tenant?: string;
  readonly user?: string;
  readonly types?: string;
  readonly lastEventId?: string;
}

const TOKEN_TTL_SECONDS = 24 * 3600;
/** Milliseconds until the next attempt, where the gateway does not say. */
const RETRY_MS = 1_000;
/** Refusals after which it makes sense to come back. */
const PASSING: readonly RefusalCode[] = [
  "slow_consumer",
  "quota_exceeded",
  "rate_limited",
  "overloaded",
  "going_away",
  "unavailable",
];

export function addTailCommand(program: Command): void {
  const command: Command = program
    .command("tail")
    .description("Follow a running gateway: one line of JSON per event.")
    .addOption(new Option("--sse", "over Server-Sent Events (the default)").conflicts("ws"))
    .option("--ws", "over WebSocket")
    .option("--path <path>", "what to follow (default: /stream, with --ws /ws)")
    .option("--url <url>", "the gateway, with its path prefix if it has one", "http://localhost:8080")
    .option("--token <token>", "the token to show")
    .option("--tenant <tenant>", "without --token: sign one with JWT_SECRET_KEY for this tenant")
    .option("--user <user>", "and this user")
    .option("--types <types>", "only these event types, separated by commas; a trailing * matches a prefix")
    .option("--last-event-id <id>", "go on after this id")
    .addHelpText("after", EXAMPLES)
    .action(async (options: TailOptions) => {
      const url = endpoint(options) ?? command.error(`error: not an http:// or https:// URL: ${options.url}`);
      const token = await tokenOf(options);
      if (token === undefined) command.error("error: --token, or --tenant and --user, is required");
      await follow(options.ws ? followWebSocket : followSse, url, token, options.lastEventId);
    });
}

function endpoint({ url, path, ws, types }: TailOptions): URL | null {
  const base = URL.canParse(url) ? new URL(url) : null;
  if (base === null || !/^https?:$/.test(base.protocol)) return null;
  const target = new URL(base.pathname.replace(/\/+$/, "") + (path ?? (ws ? "/ws" : "/stream")), base);
  if (types !== undefined) target.searchParams.set("types", types);
  return target;
}

async function tokenOf({ token, tenant, user }: TailOptions): Promise<string | undefined> {
  if (token !== undefined) return token;
  if (tenant === undefined || user === undefined) return undefined;
  return signedToken({ tenant, user, ttlSeconds: TOKEN_TTL_SECONDS });
}

/** Follows until the user ends it, coming back after every interruption but a refusal for good. */
async function follow(connect: Follow, url: URL, token: string, from: string | undefined): Promise<void> {
  const ending = endOfUse();
  let lastEventId = from;
  let wasConnected = false;
  let retryMs = RETRY_MS;

  const take = (message: Message) => {
    lastEventId = message.id ?? lastEventId;
    if (message.kind === "event") console.log(JSON.stringify(message.data));
    if (message.kind === "gap") console.error(`gap: ${JSON.stringify(message.data)}`);
    if (message.kind === "reconnect") retryMs = Number(message.data.retry_ms) || RETRY_MS;
    if (message.kind !== "connected") return;
    wasConnected = true;
    retryMs = RETRY_MS;
    console.error(`connected to ${url.origin}${url.pathname}`);
  };

  while (!ending.aborted) {
    const failure = await connect({ url, token, lastEventId, signal: ending, onMessage: take }).catch(asError);
    if (ending.aborted) return;
    const isPassing = !(failure instanceof RefusalError) || PASSING.includes(failure.code);
    if (failure instanceof Error && !(wasConnected && isPassing)) throw new CommandError(explain(failure, url));
    console.error(`${failure ? explain(failure, url) : "the gateway ended the connection"}, again in ${retryMs} ms`);
    await delay(retryMs, undefined, { signal: ending }).catch(() => {});
  }
}

function endOfUse(): AbortSignal {
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => ending.abort());
  // Whoever read our lines has gone.
  process.stdout.once("error", () => ending.abort());
  return ending.signal;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function explain(error: Error, url: URL): string {
  if (error instanceof RefusalError) return `${error.message} (${error.code})`;
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
  return `no connection to ${url.origin}: ${code ?? message}`;
}

const EXAMPLES = `
Lines about the connection go to standard error. It comes back by itself, and goes on from the last id. Ctrl-C ends it.

Examples:
  ragline-gateway tail --tenant acme --user alice
  ragline-gateway tail --ws --path /ws/orders --token "$TOKEN"
  ragline-gateway tail --types 'order_*,notification' --token "$TOKEN" | jq .data`;
