import t from "tap";
import { MAX_REQUEST_BYTES, parseBody } from "../../src/publisher/body.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (text: string, contentType = "application/json") => parseBody(bytes(text), contentType);
const NDJSON = "application/x-ndjson";

t.test("one value is one item, a list is as many as it holds", async (t) => {
  t.strictSame(parse('{"topic":"orders"}'), [{ topic: "orders" }]);
  t.strictSame(parse(' [{"a":1}, 2, [3]] \n'), [{ a: 1 }, 2, [3]]);
  t.strictSame(parse("5"), [5], "whether it is an event is checked later");
  t.strictSame(parse("\ufeff{}"), [{}], "a byte order mark does not count");
});

t.test("the content type decides, in any case and with parameters", async (t) => {
  for (const type of ["application/json", "", "text/plain", "application/json; charset=utf-8"]) {
    t.strictSame(parse("[1,\n2]", type), [1, 2]);
  }
  for (const type of [NDJSON, "Application/X-NDJSON", "application/x-ndjson; charset=utf-8"]) {
    t.strictSame(parse("[1]\n2", type), [[1], 2]);
  }
});

t.test("NDJSON has one item per line, and blank lines do not count", async (t) => {
  t.strictSame(parse('{"a":1}\n{"b":2}\n', NDJSON), [{ a: 1 }, { b: 2 }]);
  t.strictSame(parse('\n\r\n{"a":"ü"}\r\n \t\n2', NDJSON), [{ a: "ü" }, 2]);
  t.throws(() => parse('{"a":1}\n\n{"b":}\n{"c":3}', NDJSON), { code: "bad_request", message: "item 1: not JSON" });
});

t.test("a body that is no text of its kind is refused, without repeating it", async (t) => {
  for (const text of ["", "  ", "{", "{'a':1}", "[1,]", '{"a":1}{"b":2}', "secret"]) {
    t.throws(() => parse(text), { code: "bad_request", message: "the request is not JSON" });
  }
  const invalid = [[0xff], [0x22, 0xc3, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22], [0x22, 0xc0, 0xaf, 0x22]];
  for (const body of invalid) {
    for (const type of ["application/json", NDJSON]) {
      t.throws(() => parseBody(Uint8Array.from(body), type), {
        code: "bad_request",
        message: "the request is not UTF-8",
      });
    }
  }
});

t.test("a request without an item is refused", async (t) => {
  const expected = { code: "bad_request", message: "the request holds no item" };
  t.throws(() => parse("[]"), expected);
  t.throws(() => parse("", NDJSON), expected);
  t.throws(() => parse("\n \r\n", NDJSON), expected);
});

t.test("a body of 8 MiB is read, a larger one is refused", async (t) => {
  const largest = new Uint8Array(MAX_REQUEST_BYTES).fill(0x20);
  largest.set(bytes("7"));
  t.strictSame(parseBody(largest, ""), [7]);
  t.throws(() => parseBody(new Uint8Array(MAX_REQUEST_BYTES + 1), ""), { code: "too_large" });
});

t.test("deep nesting is refused before it is parsed, and what a payload may have is not", async (t) => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  t.equal(parse(nested(514)).length, 1);
  for (const text of [nested(515), nested(4_000_000), "[".repeat(8_000_000), '{"a":'.repeat(1_000_000)]) {
    t.throws(() => parse(text), {
      code: "bad_request",
      message: "the request is not JSON nested at most 514 levels deep",
    });
  }
  t.throws(() => parse(`1\n${nested(515)}`, NDJSON), {
    code: "bad_request",
    message: /^item 1: not JSON nested at most/,
  });
  t.equal(parse(`${nested(514)}\n${nested(514)}`, NDJSON).length, 2, "each line for itself");
  t.strictSame(parse(JSON.stringify("[".repeat(1_000))), ["[".repeat(1_000)], "brackets in text do not count");
});
