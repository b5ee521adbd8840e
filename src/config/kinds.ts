import { isIP } from "node:net";
import { z } from "zod";

/** A kind of value: what is accepted, in words and as a schema over the text given. */
export interface Kind<T> {
  expects: string;
  schema: z.ZodType<T, string>;
  /** What may be shown of a value that can hold a secret. Such a value is never repeated in a problem. */
  mask?: (value: string) => string;
}

export const MASK = "***";

export function text(expects: string, accepts: RegExp | ((value: string) => boolean)): Kind<string> {
  const test = accepts instanceof RegExp ? (value: string) => accepts.test(value) : accepts;
  return { expects, schema: z.string().refine(test) };
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER, unit = ""): Kind<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  const digits = z.string().regex(/^(0|[1-9]\d*)$/);
  const schema = digits.transform(Number).pipe(z.number().min(min).max(max));
  return { expects: `a whole number${unit && ` of ${unit}`}, ${range}`, schema };
}

export function oneOf<const T extends string>(values: readonly T[]): Kind<T> {
  return { expects: `one of ${values.join(", ")}`, schema: z.string().pipe(z.enum(values)) };
}

/** Comma-separated without repetition; spaces around an item are dropped. */
export function list<T>(item: Kind<T>, max = Number.POSITIVE_INFINITY): Kind<T[]> {
  const split = z.string().transform((value) => value.split(",").map((part) => part.trim()));
  const items = z.array(item.schema).refine((all) => all.length <= max && new Set(all).size === all.length);
  const count = max === Number.POSITIVE_INFINITY ? "a list" : `a list of 1 to ${max}`;
  return {
    expects: `${count}, separated by commas, without repetition, each ${item.expects}`,
    schema: split.pipe(items),
  };
}

const parseUrl = (value: string) => (URL.canParse(value) ? new URL(value) : undefined);
export const isLoopback = (name: string) => /^(localhost|.+\.localhost|127(\.\d+){3}|::1|\[::1\])$/i.test(name);

export function isHost(value: string): boolean {
  return isIP(value) > 0 || (/^[\w-]+(\.[\w-]+)*$/.test(value) && !/(^|\.)\d+$/.test(value));
}

export function isRedisUrl(value: string): boolean {
  const url = parseUrl(value);
  if (!url || !/^rediss?:$/.test(url.protocol) || !url.hostname || url.port === "0" || /[?#]/.test(value)) return false;
  return /^(\/\d{0,5})?$/.test(url.pathname) && /^([^%]|%[0-9a-f]{2})*$/i.test(url.username + url.password);
}

export function isJwksUrl(value: string): boolean {
  const url = parseUrl(value);
  // An "@" this late means a "/" or "?" in the password, which should have been encoded and would be shown.
  if (!url || value.includes("#") || (url.pathname + url.search).includes("@")) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

export function isOrigin(value: string): boolean {
  return value === "*" || (/^[a-z][a-z\d+.-]*:\/\/[^/?#@*\\\s]+$/i.test(value) && Boolean(parseUrl(value)?.host));
}

/** As a browser writes it into `Origin` (RFC 6454 §6.2): lower case, no default port. */
export function normalOrigin(value: string): string {
  if (value === "*") return value;
  const { origin, protocol, host } = new URL(value);
  return origin === "null" ? `${protocol}//${host}` : origin;
}

/** Addresses without user, password and query; nothing at all of one that is not well formed. */
export function maskUrls(value: string): string {
  const addresses = value.split(",").map((part) => part.trim());
  if (!addresses.every((address) => isRedisUrl(address) || isJwksUrl(address))) return MASK;
  const masked = addresses.map((address) => {
    const { protocol, username, password, host, pathname, search } = new URL(address);
    return `${protocol}//${username || password ? `${MASK}@` : ""}${host}${pathname}${search && `?${MASK}`}`;
  });
  return masked.join(",");
}
