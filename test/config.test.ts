import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import t, { type Test } from "tap";
import { settingRows } from "../src/config/table.js";
import { describeSettings, loadPublisherSettings, loadSettings, type Settings, SettingsError } from "../src/config.ts";

const SECRET = "correct horse battery staple, twice over";
/** For localhost, signed by its own key, for 100 years. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUAdpciHDYHhJmLGNK8V7Q09UNcvkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE1MjcwMloYDzIxMjYxMDMw
MTUyNzAyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATGve7GX20PdrdLrDVqBLK9jkxEzW8vAYt6//pDOqm5UTvKxRp+h+5D
DEmyKpkJimWEwODqxrSdh/YWMFBdQ3uWo1MwUTAdBgNVHQ4EFgQU1Fa9etWL5f2j
kkH3U5JK6N4P0yswHwYDVR0jBBgwFoAU1Fa9etWL5f2jkkH3U5JK6N4P0yswDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBkmrSHOeRFs9VRoh3ojpgt
xEjKnzEhLYD7Nll/aw6/FgIgcuGxo0IsRax18YwxRn1s7MumK/ekbe9fqavD8aaZ
QQM=
-----END CERTIFICATE-----
`;
const CERTIFICATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJFt7q5QSFZlEZcq4
aO6+I52fWnWdDZ74XtzhubkVvr+hRANCAATGve7GX20PdrdLrDVqBLK9jkxEzW8v
AYt6//pDOqm5UTvKxRp+h+5DDEmyKpkJimWEwODqxrSdh/YWMFBdQ3uW
-----END PRIVATE KEY-----
`;
const valid = { JWT_SECRET_KEY: SECRET };

function problemsOf(
  env: NodeJS.ProcessEnv,
  load: (env: NodeJS.ProcessEnv) => unknown = loadSettings,
): readonly string[] {
  try {
    load(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

/** Each value is refused with one problem that names the variable; `accepted` are taken without any. */
function checks(t: Test, name: string, accepted: string[], refused: string[], env: NodeJS.ProcessEnv = valid) {
  for (const value of accepted) t.strictSame(problemsOf({ ...env, [name]: value }), [], `${name}=${value}`);
  for (const value of refused) {
    const problems = problemsOf({ ...env, [name]: value });
    t.equal(problems.length, 1, `${name}=${JSON.stringify(value)} is one problem: ${problems}`);
    t.match(problems[0], new RegExp(`^${name} `));
  }
}

t.test("with a secret alone, every other setting has its default", async (t) => {
  const settings = loadSettings(valid);
  t.match(settings, {
    redis: { urls: ["redis://127.0.0.1:6379/0"], mode: "standalone" },
    host: "0.0.0.0",
    port: 8080,
    adminHost: "127.0.0.1",
    adminPort: 9090,
    pathPrefix: "",
    streamPrefix: "ragline:stream:",
    topics: ["orders", "notifications", "system"],
    partitions: 16,
    streamMaxLen: 100_000,
    corsOrigins: ["http://localhost:3000", "http://localhost:8080"],
    maxConnections: 100_000,
    maxConnectionsPerTenant: 0,
    maxConnectionsPerUser: 0,
    publishRate: 0,
    connectRate: 2000,
    clientMessageRate: 50,
    maxBufferedBytes: 1_048_576,
    stallSeconds: 30,
    historyBytes: 67_108_864,
    resumeMaxEvents: 10_000,
    drainSeconds: 20,
    logLevel: "info",
    console: false,
  } satisfies Partial<Settings>);
  t.strictSame(settings.jwt, {
    secret: SECRET,
    algorithms: ["HS256"],
    tenantClaim: "tenant_id",
    userClaim: "user_id",
    clockToleranceSeconds: 5,
  });
  t.ok(settings.workers >= 1 && settings.workers <= 256);
  t.notOk("tls" in settings);
});

t.test("an empty variable counts as unset", async (t) => {
  const empty = Object.fromEntries(settingRows.map(({ name }) => [name, ""]));
  t.strictSame(loadSettings({ ...empty, ...valid }), loadSettings(valid));
});

t.test("settings are frozen to the bottom", async (t) => {
  const settings = loadSettings(valid);
  for (const part of [settings, settings.redis, settings.redis.urls, settings.jwt, settings.jwt.algorithms]) {
    t.ok(Object.isFrozen(part));
  }
  t.ok(Object.isFrozen(settings.topics) && Object.isFrozen(settings.corsOrigins));
  t.throws(() => Object.assign(settings, { port: 1 }), TypeError);
});

t.test("every problem is reported at once, with exit code 78", async (t) => {
  const wrong = {
    PORT: "x",
    RAGLINE_TOPICS: "a,,b",
    LOG_LEVEL: "loud",
    REDIS_MODE: "sentinel",
    JWT_ALGORITHMS: "none",
  };
  try {
    loadSettings(wrong);
    t.fail("accepted");
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    t.equal(error.exitCode, 78);
    t.equal(error.message, error.problems.join("\n"));
    const expected = [
      ...Object.keys(wrong).map((name) => name.replace("REDIS_MODE", "REDIS_SENTINEL_NAME")),
      "one of JWT",
    ];
    for (const start of expected)
      t.ok(
        error.problems.some((line) => line.startsWith(start)),
        start,
      );
    t.equal(error.problems.length, expected.length);
  }
});

t.test("a problem says what was expected, in which unit and range, and what was given", async (t) => {
  t.strictSame(problemsOf({ ...valid, PORT: "12abc" }), ['PORT must be a whole number, 1 to 65535, not "12abc"']);
  t.strictSame(problemsOf({ ...valid, JWT_CLOCK_TOLERANCE: "301" }), [
    'JWT_CLOCK_TOLERANCE must be a whole number of seconds, 0 to 300, not "301"',
  ]);
});

t.test("whole numbers are plain digits within their range", async (t) => {
  const ranges: Record<string, [least: number, most: number]> = {
    PORT: [1, 65_535],
    ADMIN_PORT: [1, 65_535],
    RAGLINE_WORKERS: [1, 256],
    RAGLINE_PARTITIONS: [1, 1024],
    RAGLINE_STREAM_MAXLEN: [0, Number.MAX_SAFE_INTEGER],
    JWT_CLOCK_TOLERANCE: [0, 300],
    RAGLINE_MAX_CONNECTIONS: [1, Number.MAX_SAFE_INTEGER],
    RAGLINE_MAX_CONNECTIONS_PER_TENANT: [0, Number.MAX_SAFE_INTEGER],
    RAGLINE_MAX_CONNECTIONS_PER_USER: [0, Number.MAX_SAFE_INTEGER],
    RAGLINE_PUBLISH_RATE: [0, Number.MAX_SAFE_INTEGER],
    RAGLINE_CONNECT_RATE: [1, Number.MAX_SAFE_INTEGER],
    RAGLINE_CLIENT_MESSAGE_RATE: [1, Number.MAX_SAFE_INTEGER],
    RAGLINE_MAX_BUFFERED_BYTES: [16_384, 2 ** 30],
    RAGLINE_STALL_SECONDS: [1, 3600],
    RAGLINE_HISTORY_BYTES: [0, Number.MAX_SAFE_INTEGER],
    RAGLINE_RESUME_MAX_EVENTS: [0, Number.MAX_SAFE_INTEGER],
    RAGLINE_DRAIN_SECONDS: [0, 3600],
  };
  const malformed = [" ", "12abc", "1e3", "+1", "-1", "0x10", "1.0", "1,000", " 80", "080", "Infinity", "٣"];
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const outside = [...(least > 0 ? [`${least - 1}`] : []), String(BigInt(most) + 1n)];
    checks(t, name, [`${least}`, `${most}`], [...malformed, ...outside]);
  }
});

t.test("the two listeners must not claim the same port of the same address", async (t) => {
  const clash = (HOST: string, ADMIN_HOST: string) =>
    problemsOf({ ...valid, PORT: "7000", ADMIN_PORT: "7000", HOST, ADMIN_HOST }).length === 1;
  t.ok(clash("0.0.0.0", "127.0.0.1"));
  t.ok(clash("10.0.0.1", "0.0.0.0"));
  t.ok(clash("::", "10.0.0.1"));
  t.ok(clash("Example", "example"));
  t.ok(clash("localhost", "127.0.0.1"));
  t.notOk(clash("10.0.0.1", "127.0.0.1"));
  t.notOk(clash("0.0.0.0", "::1"));
});

t.test("hosts are names or addresses", async (t) => {
  const accepted = ["localhost", "0.0.0.0", "::", "fe80::1%eth0", "a.example", "redis_1"];
  checks(t, "HOST", accepted, ["a b", "[::1]", "http://x", "256.1.1.1", "a..b", "x:80"]);
});

t.test(
  "the path prefix is empty or starts with a slash and holds nothing a router or a URL reads otherwise",
  async (t) => {
    checks(
      t,
      "RAGLINE_PATH_PREFIX",
      ["/v1/events", "/a", "/a.b/c-d_~"],
      ["v1", "/", "/v1/", "//v1", "/a//b", "/a?b", "/a#b", "/*", "/:id", "/a b", " ", "/..", "/a/./b", "/é", "/a\\b"],
    );
  },
);

t.test("topics are 1 to 8 distinct names of letters, digits, _ and -", async (t) => {
  t.strictSame(loadSettings({ ...valid, RAGLINE_TOPICS: "a, b" }).topics, ["a", "b"]);
  t.throws(() => loadSettings({ ...valid, RAGLINE_TOPICS: "t16,t907" }), /RAGLINE_TOPICS .*tell apart/);
  const refused = ["a,a", "a,,b", ",", " ", "a:b", "{a}", "ä", "a".repeat(65), "a,b,c,d,e,f,g,h,i"];
  checks(t, "RAGLINE_TOPICS", ["a", "a,b,c,d,e,f,g,h", "a".repeat(64)], refused);
});

t.test("the stream prefix has no braces, spaces or control characters", async (t) => {
  checks(t, "RAGLINE_STREAM_PREFIX", ["s:", "acme/prod:"], ["a{b", "a}b", "a b", " ", "a\nb", "a\u0000"]);
});

t.test("Redis addresses are redis:// or rediss:// with host and at most a database", async (t) => {
  checks(
    t,
    "REDIS_URL",
    ["redis://h", "redis://h:1/15", "rediss://user:p%40ss@h:6380", "redis://:pw@[::1]:6379/0", "redis://h/"],
    [
      "h:6379",
      "http://h",
      "redis://",
      "redis://h/a",
      "redis://h/0/1",
      "redis://h?x=1",
      "redis://h#x",
      "redis://h:0",
    ].concat(["redis://h:99999", "redis://:%zz@h", "redis://a b", "redis://h,", "redis://h,redis://h"]),
  );
});

t.test("several Redis addresses, databases and the sentinel name must fit the mode", async (t) => {
  const two = "redis://a:1,redis://b:2";
  t.match(problemsOf({ ...valid, REDIS_URL: two }), [/^REDIS_URL may list several/]);
  t.strictSame(loadSettings({ ...valid, REDIS_URL: two, REDIS_MODE: "cluster" }).redis, {
    urls: ["redis://a:1", "redis://b:2"],
    mode: "cluster",
  });
  t.match(problemsOf({ ...valid, REDIS_URL: "redis://a/1", REDIS_MODE: "cluster" }), [/database 0/]);
  t.strictSame(problemsOf({ ...valid, REDIS_URL: "redis://a/0", REDIS_MODE: "cluster" }), []);
  t.match(problemsOf({ ...valid, REDIS_URL: "redis://a,rediss://b", REDIS_MODE: "cluster" }), [/must not mix/]);
  t.match(problemsOf({ ...valid, REDIS_MODE: "sentinel" }), [/^REDIS_SENTINEL_NAME is required/]);
  const sentinel = { REDIS_URL: two, REDIS_MODE: "sentinel", REDIS_SENTINEL_NAME: "main" };
  t.equal(loadSettings({ ...valid, ...sentinel }).redis.sentinelName, "main");
  checks(t, "REDIS_MODE", ["standalone"], ["Cluster", "single", " "]);
});

t.test("exactly one source of keys is required", async (t) => {
  t.strictSame(problemsOf({}), ["one of JWT_SECRET_KEY, JWT_PUBLIC_KEY_FILE, JWT_JWKS_URL is required"]);
  t.match(problemsOf({ ...valid, JWT_JWKS_URL: "https://a.example/keys" }), [/^only one of JWT_SECRET_KEY/]);
  t.equal(problemsOf({ JWT_SECRET_KEY: "short", JWT_JWKS_URL: "https://a.example/keys" }).length, 2);
});

t.test("a secret has 32 bytes or more, is no PEM key and not the well-known sample", async (t) => {
  const pem = `-----BEGIN PUBLIC KEY-----${"A".repeat(40)}`;
  checks(t, "JWT_SECRET_KEY", ["x".repeat(32), "é".repeat(16)], ["x".repeat(31), "é".repeat(15), " ", pem]);
  const problems = problemsOf({ JWT_SECRET_KEY: "your-secret-key-change-in-production" });
  t.strictSame(problems, ["JWT_SECRET_KEY is the well-known sample secret; choose one of your own"]);
});

t.test("the algorithms default to the type of the public key", async (t) => {
  const keys = {
    RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    ES384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
    ES512: generateKeyPairSync("ec", { namedCurve: "P-521" }),
    EdDSA: generateKeyPairSync("ed25519"),
  };
  const files = Object.entries(keys).map(([name, { publicKey }]) => [
    name,
    publicKey.export({ type: "spki", format: "pem" }).toString(),
  ]);
  const folder = t.testdir(Object.fromEntries(files));
  for (const [algorithm, pem] of files) {
    const file = join(folder, algorithm ?? "");
    const { jwt } = loadSettings({ JWT_PUBLIC_KEY_FILE: file });
    t.match(jwt, { algorithms: [algorithm], publicKeyFile: file, publicKey: pem });
    const shown = describeSettings({ JWT_PUBLIC_KEY_FILE: file }).find(({ name }) => name === "JWT_ALGORITHMS");
    t.strictSame(shown, { name: "JWT_ALGORITHMS", value: algorithm, source: "default" });
  }
  const jwks = loadSettings({ JWT_JWKS_URL: "https://a.example/keys" }).jwt;
  t.strictSame(jwks.algorithms, ["RS256", "ES256", "EdDSA"]);
});

t.test("a certificate gives its public key", async (t) => {
  const folder = t.testdir({ "cert.pem": CERTIFICATE });
  const { publicKey } = loadSettings({ JWT_PUBLIC_KEY_FILE: join(folder, "cert.pem") }).jwt;
  t.match(publicKey, /^-----BEGIN PUBLIC KEY-----/);
});

t.test(
  "the public key file must hold a public key that is strong enough, of a kind tokens are signed with",
  async (t) => {
    const spki = { type: "spki", format: "pem" } as const;
    const folder = t.testdir({
      weak: generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export(spki),
      pss: generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey.export(spki),
      koblitz: generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey.export(spki),
      agreement: generateKeyPairSync("x25519").publicKey.export(spki),
      private: CERTIFICATE_KEY,
      both: `${CERTIFICATE}${CERTIFICATE_KEY}`,
      text: "not a key",
      empty: "",
    });
    const files = ["weak", "pss", "koblitz", "agreement", "private", "both", "text", "empty", "missing", "."];
    checks(t, "JWT_PUBLIC_KEY_FILE", [], [...files.map((name) => join(folder, name)), "a\nb"], {});
  },
);

t.test("a key set is fetched over https, or over http from this machine only", async (t) => {
  checks(
    t,
    "JWT_JWKS_URL",
    ["https://a.example/keys?v=1", "http://localhost:1/keys", "http://127.0.0.1/keys", "http://[::1]:80/keys"],
    [
      "http://a.example/keys",
      "a.example/keys",
      "ftp://localhost/",
      "https://a.example/#keys",
      "http://127.0.0.1.example/",
    ],
    {},
  );
});

t.test("algorithms are on the list, not mixed, and fit the key", async (t) => {
  checks(
    t,
    "JWT_ALGORITHMS",
    ["HS256", "HS256, HS512"],
    ["none", "HS256,none", "hs256", "HS256,RS256", "RS256", "HS256,HS256"],
  );
  const jwks = { JWT_JWKS_URL: "https://a.example/keys" };
  checks(t, "JWT_ALGORITHMS", ["RS256,PS512,ES384,EdDSA"], ["HS256", "ES256,HS256", "none"], jwks);
  const file = join(t.testdir({ cert: CERTIFICATE }), "cert");
  checks(t, "JWT_ALGORITHMS", ["ES256"], ["ES384", "RS256", "HS256", "ES256,RS256"], { JWT_PUBLIC_KEY_FILE: file });
});

t.test("claims and required token fields are taken as given", async (t) => {
  const env = { ...valid, JWT_ISSUER: "https://id.example/", JWT_AUDIENCE: "app", JWT_TENANT_CLAIM: "https://x/t" };
  t.match(loadSettings(env).jwt, { issuer: "https://id.example/", audience: "app", tenantClaim: "https://x/t" });
  checks(t, "JWT_TENANT_CLAIM", ["org.id"], ["a b", " "]);
  checks(t, "JWT_USER_CLAIM", ["uid"], ["a b", "\t"]);
});

t.test("origins are compared as browsers send them", async (t) => {
  const origins = (CORS_ORIGINS: string) => loadSettings({ ...valid, CORS_ORIGINS }).corsOrigins;
  t.strictSame(origins("HTTPS://App.Example:443, http://localhost:80"), ["https://app.example", "http://localhost"]);
  t.strictSame(origins("capacitor://localhost"), ["capacitor://localhost"]);
  t.strictSame(origins("http://a.example,*"), ["*"]);
  const refused = [
    "a.example",
    "https://a.example/",
    "https://a.example/x",
    "https://*.a.example",
    "null",
    "http://a,",
  ];
  checks(t, "CORS_ORIGINS", ["*", "http://[::1]:3000"], [...refused, "https://user@a.example", "https://a b"]);
});

t.test("TLS needs both files, readable and belonging together", async (t) => {
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });
  const folder = t.testdir({ cert: CERTIFICATE, key: CERTIFICATE_KEY, other, text: "x" });
  const tls = (cert: string, key: string) => ({
    ...valid,
    RAGLINE_TLS_CERT_FILE: cert && join(folder, cert),
    RAGLINE_TLS_KEY_FILE: key && join(folder, key),
  });
  t.strictSame(loadSettings(tls("cert", "key")).tls, { certFile: join(folder, "cert"), keyFile: join(folder, "key") });
  t.match(problemsOf(tls("cert", "")), [/must be set together$/]);
  t.match(problemsOf(tls("", "key")), [/must be set together$/]);
  t.match(problemsOf(tls("cert", "other")), [/must hold a PEM certificate and its private key/]);
  t.match(problemsOf(tls("text", "key")), [/must hold a PEM certificate and its private key/]);
  t.match(problemsOf(tls("no", "none")), [/^RAGLINE_TLS_CERT_FILE cannot be read \(ENOENT\)/, /^RAGLINE_TLS_KEY_FILE/]);
});

t.test("the log level is one of pino's and the console a flag", async (t) => {
  checks(t, "LOG_LEVEL", ["fatal", "error", "warn", "info", "debug", "trace", "silent"], ["INFO", "verbose", "30"]);
  checks(t, "RAGLINE_CONSOLE", ["true", "false", "1", "0"], ["yes", "TRUE", " ", "2"]);
  const on = (value: string) => loadSettings({ ...valid, RAGLINE_CONSOLE: value }).console;
  t.strictSame(["true", "1", "false", "0"].map(on), [true, true, false, false]);
});

t.test("a publisher needs the Redis settings only", async (t) => {
  const settings = loadPublisherSettings({ RAGLINE_PARTITIONS: "8", PORT: "not looked at" });
  t.strictSame(settings, {
    redis: { urls: ["redis://127.0.0.1:6379/0"], mode: "standalone" },
    streamPrefix: "ragline:stream:",
    topics: ["orders", "notifications", "system"],
    partitions: 8,
    streamMaxLen: 100_000,
  });
  t.ok(Object.isFrozen(settings) && Object.isFrozen(settings.redis));
  const problems = problemsOf({ REDIS_MODE: "sentinel", RAGLINE_PARTITIONS: "0" }, loadPublisherSettings);
  t.match(problems, [/^RAGLINE_PARTITIONS must/, /^REDIS_SENTINEL_NAME is required/]);
});

t.test("the description has a row per variable: value in effect, source, secrets masked", async (t) => {
  const rows = describeSettings({
    ...valid,
    PORT: "81x",
    HOST: "",
    REDIS_URL: "redis://bob:pw@h:1/2,rediss://h2",
    JWT_JWKS_URL: "https://bob:pw@a.example/keys?key=pw",
  });
  t.strictSame(
    rows.map(({ name }) => name),
    settingRows.map(({ name }) => name),
  );
  const shown = Object.fromEntries(rows.map(({ name, value, source }) => [name, `${value} (${source})`]));
  t.match(shown, {
    PORT: "81x (environment)",
    HOST: "0.0.0.0 (default)",
    REDIS_URL: "redis://***@h:1/2,rediss://h2 (environment)",
    JWT_SECRET_KEY: "*** (environment)",
    JWT_JWKS_URL: "https://***@a.example/keys?*** (environment)",
    JWT_ISSUER: " (default)",
    RAGLINE_CONSOLE: "false (default)",
  });
});

t.test("no secret appears in a problem or a description, wherever and however badly it is written", async () => {
  const secrets = fc.stringMatching(/^[A-Za-z0-9]{12,48}$/);
  const junk = fc.constantFrom("", "@", ":", "/", "#", "?", "%", ",", " ", "\n", "//", "é");
  const places: Array<(secret: string) => NodeJS.ProcessEnv> = [
    (secret) => ({ JWT_SECRET_KEY: secret }),
    (secret) => ({ REDIS_URL: `redis://user:${secret}@h:6379/0` }),
    (secret) => ({ REDIS_URL: `redis://${secret}@h,redis://:${secret}@h2`, REDIS_MODE: "cluster" }),
    (secret) => ({ REDIS_URL: `redis://:${secret.replace("@", "")}` }),
    (secret) => ({ REDIS_URL: `redis://h?password=${secret}` }),
    (secret) => ({ REDIS_URL: secret }),
    (secret) => ({ JWT_JWKS_URL: `https://user:${secret}@a.example/keys` }),
    (secret) => ({ JWT_JWKS_URL: `http://a.example/keys?key=${secret}` }),
    (secret) => ({ JWT_JWKS_URL: `https://a.example/keys?key=${secret}` }),
    (secret) => ({ JWT_PUBLIC_KEY_FILE: `-----BEGIN PRIVATE KEY-----${secret}` }),
    (secret) => ({ RAGLINE_TLS_KEY_FILE: `-----BEGIN PRIVATE KEY-----\n${secret}`, RAGLINE_TLS_CERT_FILE: "none" }),
    (secret) => ({ CORS_ORIGINS: `https://user:${secret}@a.example` }),
  ];
  const property = fc.property(
    secrets,
    junk,
    junk,
    fc.subarray(places, { minLength: 1 }),
    (secret, left, right, chosen) => {
      const env: NodeJS.ProcessEnv = Object.assign({}, ...chosen.map((place) => place(left + secret + right)));
      const said = [
        ...problemsOf(env),
        ...problemsOf(env, loadPublisherSettings),
        JSON.stringify(describeSettings(env)),
      ];
      return said.every((text) => !text.includes(secret));
    },
  );
  fc.assert(property, { numRuns: 2000 });
});

t.test("the error of a refused configuration shows no secret when it is inspected", async (t) => {
  try {
    loadSettings({ ...valid, PORT: "x", REDIS_URL: "redis://:hunter2hunter2@h:x" });
    t.fail("accepted");
  } catch (error) {
    t.notMatch(inspect(error, { depth: 9, showHidden: true }), /hunter2|correct horse/);
  }
});

t.test("docs/settings.md shows every setting with its default, range and meaning", async (t) => {
  const [, table = ""] = readFileSync(join(import.meta.dirname, "../docs/settings.md"), "utf8").split("\n\n| name");
  const rows = table.slice(0, table.indexOf("\n\n")).split("\n").slice(2);
  const documented = rows.map((row) => row.split("|").map((cell) => cell.trim()));
  const actual = settingRows.map((row) => ["", `\`${row.name}\``, row.initially, row.expects, row.meaning, ""]);
  t.strictSame(documented, actual);
});
