import t, { type Test } from "tap";
import { type Follower, follow } from "../support/follow.ts";
import { forgeToken, inSeconds } from "../support/forge-token.ts";
import { newTenant, startJourney } from "../support/journey.ts";
import { openRaw } from "../support/raw-socket.ts";
import { request } from "../support/request.ts";
import { openSse } from "../support/sse-client.ts";
import { until } from "../support/until.ts";
import { openWs } from "../support/ws-client.ts";
import { addEvent } from "../support/xadd.ts";

const { redis, gateway } = await startJourney(t);
const tenant = newTenant();
const token = gateway.token({ tenant, roles: ["publisher"] });
const authorization = `Authorization: Bearer ${token}\r\n`;

/** Clients that behave, on both transports, while others do not. */
const healthy = await Promise.all((["/stream", "/ws"] as const).map((path) => follow(t, gateway, path, { token })));
let marker = 0;

/** What was published since the last time arrived, and nothing besides. */
async function stillWhole(t: Test, followers: readonly Follower[] = healthy): Promise<void> {
  const payload = `marker ${++marker}`;
  await addEvent(redis, { tenant_id: tenant, payload });
  for (const follower of followers) t.equal((await follower.next()).data, payload, follower.endpoint);
}

async function publishedEntries(): Promise<number> {
  const keys = await redis.keys("ragline:stream:*{*");
  const lengths = await Promise.all(keys.map((key) => redis.xlen(key)));
  return lengths.reduce((sum, length) => sum + length, 0);
}

/** More than uWebSockets.js gives a client to say what it wants. */
const SLOW_WITHIN_MS = 25_000;
const BODY = '{"topic":"orders","event_type":"order_created","payload":1}';

/** A second request is hidden in each, or the framing is not what RFC 9112 sections 5, 6 and 7 want. */
const MALFORMED: readonly (readonly [what: string, request: string])[] = [
  [
    "two lengths",
    `POST /publish HTTP/1.1\r\nHost: a\r\n${authorization}Content-Length: 5\r\nContent-Length: 59\r\n\r\n${BODY}`,
  ],
  ["a list of lengths", `POST /publish HTTP/1.1\r\nHost: a\r\n${authorization}Content-Length: 5, 5\r\n\r\n${BODY}`],
  ["a negative length", `POST /publish HTTP/1.1\r\nHost: a\r\n${authorization}Content-Length: -1\r\n\r\n${BODY}`],
  [
    "a length that is no number",
    `POST /publish HTTP/1.1\r\nHost: a\r\n${authorization}Content-Length: 0x3b\r\n\r\n${BODY}`,
  ],
  [
    "a length and chunks",
    `POST /publish HTTP/1.1\r\nHost: a\r\n${authorization}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n3b\r\n${BODY}\r\n0\r\n\r\n`,
  ],
  [
    "chunks by another name",
    `POST /publish HTTP/1.1\r\nHost: a\r\n${authorization}Transfer-Encoding: xchunked\r\n\r\n3b\r\n${BODY}\r\n0\r\n\r\n`,
  ],
  [
    "a chunk of no size",
    `POST /publish HTTP/1.1\r\nHost: a\r\n${authorization}Transfer-Encoding: chunked\r\n\r\nzz\r\n${BODY}\r\n0\r\n\r\n`,
  ],
  [
    "a chunk of endless size",
    `POST /publish HTTP/1.1\r\nHost: a\r\n${authorization}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n${BODY}`,
  ],
  [
    "a space before the colon",
    `POST /publish HTTP/1.1\r\nHost: a\r\nContent-Length : 59\r\n${authorization}\r\n${BODY}`,
  ],
  ["a folded header", `GET /stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer\r\n ${token}\r\n\r\n`],
  ["a zero byte in a header", `GET /stream HTTP/1.1\r\nHost: a\r\nX: \0\r\n${authorization}\r\n`],
  [
    "a header that ends in a lone CR",
    "GET /health HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost:3000\rSet-Cookie: a=b\r\n\r\n",
  ],
  ["no host", `GET /stream HTTP/1.1\r\n${authorization}\r\n`],
  ["no version", `GET /stream\r\n${authorization}\r\n`],
  ["a version of its own", `GET /stream HTTP/9.9\r\nHost: a\r\n${authorization}\r\n`],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["TLS", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"],
  ["Redis", "*1\r\n$4\r\nPING\r\n"],
  ["noise", Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * 7919) % 256)).toString("latin1")],
];

/** What each is answered. Begun here, because some are told nothing, and only cut off after a while. */
const answers = Promise.all(
  MALFORMED.map(async ([what, text]) => {
    const socket = await openRaw(t, gateway.port);
    socket.send(Buffer.from(text, "latin1"));
    const answered = socket.receives(/^HTTP\/1\.1 \d+ .*\r\n\r\n/s, SLOW_WITHIN_MS).catch(() => {});
    await Promise.race([socket.closed, answered]);
    return { what, answer: socket.text(), isSettled: socket.isClosed || socket.text() !== "" };
  }),
);

t.test("whoever does not finish asking is cut off, and nobody else waits for that", async (t) => {
  const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  const beginnings = [
    "",
    "GET",
    "GET /stream HTTP/1.1\r\nHost: gateway\r\n",
    `GET /ws HTTP/1.1\r\nHost: gateway\r\n${authorization}${upgrade}`,
    `POST /publish HTTP/1.1\r\nHost: gateway\r\n${authorization}Content-Length: ${BODY.length}\r\n\r\n`,
    `POST /publish HTTP/1.1\r\nHost: gateway\r\n${authorization}Content-Length: 100000\r\n\r\n${BODY}`,
  ];
  const sockets = await Promise.all(beginnings.map(() => openRaw(t, gateway.port)));
  for (const [i, socket] of sockets.entries()) socket.send(beginnings[i]!);
  const dripping = await openRaw(t, gateway.port);
  dripping.send("GET /stream HTTP/1.1\r\n");
  const drip = setInterval(() => dripping.send("x-more: 1\r\n"), 2_000);
  t.teardown(() => clearInterval(drip));
  await stillWhole(t);
  const cut = () => [...sockets, dripping].every(({ isClosed }) => isClosed);
  await t.resolves(until("all of them to be cut off", cut, SLOW_WITHIN_MS));
  await stillWhole(t);
  t.equal(await publishedEntries(), 0, "nothing half said was published");
});

t.test("a client that has gone is not counted any more, however it went", async (t) => {
  const gone = newTenant();
  const theirs = gateway.token({ tenant: gone });
  const connected = async () => {
    const { json } = await request(`${gateway.url}/ws/stats`, { token: theirs });
    return (json as { sse_stats: { total_connections: number } }).sse_stats.total_connections;
  };
  const sockets = await Promise.all([1, 2, 3].map(() => openRaw(t, gateway.port)));
  for (const socket of sockets) {
    socket.send(`GET /stream HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${theirs}\r\n\r\n`);
    await socket.receives(/event: connected/);
  }
  await until("all to be counted", async () => (await connected()) === 3);
  sockets[0]!.halfClose();
  await until("one to be gone", async () => (await connected()) === 2);
  sockets[1]!.destroy();
  sockets[2]!.send("GET /stream HTTP/1.1\r\nHost: gateway\r\n\r\n");
  await until("all to be gone but who talks on", async () => (await connected()) <= 1);
  await stillWhole(t);
});

t.test("a request that is not framed as one publishes and opens nothing", async (t) => {
  for (const { what, answer, isSettled } of await answers) {
    t.match(answer, /^$|^HTTP\/1\.1 [45]\d\d /, `${what}: ${answer.slice(0, 40)}`);
    t.ok(isSettled, what);
  }
  await stillWhole(t);
  t.equal(await publishedEntries(), 0);
});

t.test("requests on one connection go each by its own token", async (t) => {
  const socket = await openRaw(t, gateway.port);
  const expected = ["401", "202", "401"];
  for (const [i, status] of expected.entries()) {
    const token = status === "202" ? authorization : "";
    socket.send(`POST /publish HTTP/1.1\r\nHost: a\r\n${token}Content-Length: ${BODY.length}\r\n\r\n${BODY}`);
    const answered = () => [...socket.text().matchAll(/HTTP\/1\.1 (\d+) .*?\r\n\r\n\{.*?\}/gs)];
    const answers = await until("an answer", () => answered().length > i && answered());
    t.equal(answers[i]![1], status);
  }
  for (const follower of healthy) t.equal((await follower.next()).data, 1);
  await stillWhole(t);
});

t.test("a token of 8 KB is taken wherever it stands, and headers of 64 KB are refused with 431", async (t) => {
  const big = { tenant_id: newTenant(), user_id: "anna", exp: inSeconds(600), pad: "x".repeat(6_000) };
  const token = gateway.watch(forgeToken(gateway.secret, big));
  t.ok(token.length >= 8_000 && token.length <= 8_400, `${token.length}`);
  await follow(t, gateway, "/stream", { token });
  await follow(t, gateway, "/ws", { token });
  const query = `?token=${token}`;
  t.equal((await openSse(t, `${gateway.url}/stream${query}`)).headers["content-type"], "text/event-stream");
  t.match(await (await openWs(t, `${gateway.url}/ws${query}`)).next(), { type: "connected" });
  const protocols = ["ragline.json.v1", `ragline.bearer.${token}`];
  t.match(await (await openWs(t, `${gateway.url}/ws`, { protocols })).next(), { type: "connected" });

  for (const head of [`GET /stream HTTP/1.1\r\nx-pad: ${"x".repeat(65_536)}`, `GET /${"x".repeat(65_536)} HTTP/1.1`]) {
    const socket = await openRaw(t, gateway.port);
    socket.send(`${head}\r\nhost: gateway\r\n\r\n`);
    await socket.closed;
    t.match(socket.text(), /^HTTP\/1\.1 431 /);
  }
});

t.test("what a client sends never becomes a header or an event of its own", async (t) => {
  const breaks = encodeURIComponent("x\r\nevent: forged\r\ndata: {}\r\n\r\n");
  const client = await openSse(t, `${gateway.url}/stream?types=marker,${breaks}&last_event_id=${breaks}`, { token });
  t.equal((await client.next()).event, "connected");
  t.equal((await client.next()).event, "gap", "of an id that is none of ours");
  t.notMatch(client.raw(), /forged/);
  const names = { tenant_id: "a\ndata: forged\n\n", user_id: "\r\nid: forged\r\u2028", exp: inSeconds(600) };
  const odd = await openSse(t, `${gateway.url}/stream`, {
    token: gateway.watch(forgeToken(gateway.secret, names)),
  });
  t.match(JSON.parse((await odd.next()).data), { tenant_id: names.tenant_id, user_id: names.user_id });
});
