import { isWellFormed } from "./text.js";

/**
 * Which event types a connection wants: exact names, or prefixes written with a trailing `*`. An empty list means
 * everything.
 */
export interface TypeFilter {
  /** Sorted, without names another pattern already covers. Empty: everything. */
  readonly patterns: readonly string[];
  /** The same filter always has the same key, and two filters never share one. */
  readonly key: string;
}

export const EVERYTHING: TypeFilter = { patterns: [], key: "*" };

/** Most patterns in one subscription. */
export const MAX_PATTERNS = 128;
/** Longest pattern, in characters. */
export const MAX_PATTERN_LENGTH = 256;

/** Equal filters come out equal, so that their connections can share one audience. */
export function makeFilter(patterns: readonly string[]): TypeFilter {
  const distinct = [...new Set(patterns)].sort();
  const prefixes = distinct.filter(isPrefix).map(withoutStar);
  if (distinct.length === 0 || prefixes.includes("")) return EVERYTHING;
  const kept = distinct.filter((pattern) => !prefixes.some((prefix) => covers(prefix, pattern)));
  return { patterns: kept, key: kept.map(encodeURIComponent).join(",") };
}

export function matches(filter: TypeFilter, type: string): boolean {
  if (filter.patterns.length === 0) return true;
  return filter.patterns.some((pattern) =>
    isPrefix(pattern) ? type.startsWith(withoutStar(pattern)) : type === pattern,
  );
}

/** The `types` query parameter, `a,b*`. @returns the reason when it is not acceptable. */
export function parseTypesParameter(text: string): readonly string[] | { readonly problem: string } {
  const patterns = text.split(",").map((pattern) => pattern.trim());
  return checkPatterns(patterns.filter((pattern) => pattern !== ""));
}

/** The `subscriptions` of a `subscribe` message: a list of patterns; "all", alone or in the list, means everything. */
export function parseSubscriptions(value: unknown): readonly string[] | { readonly problem: string } {
  if (value === "all" || (Array.isArray(value) && value.includes("all"))) return [];
  if (!Array.isArray(value)) return { problem: 'subscriptions must be a list of event types, or "all"' };
  return checkPatterns(value);
}

export function isPrefix(pattern: string): boolean {
  return pattern.endsWith("*");
}

export function withoutStar(pattern: string): string {
  return pattern.slice(0, -1);
}

function checkPatterns(values: readonly unknown[]): readonly string[] | { readonly problem: string } {
  if (values.length > MAX_PATTERNS) return { problem: `at most ${MAX_PATTERNS} event types` };
  for (const value of values) {
    if (typeof value !== "string" || value === "" || value.length > MAX_PATTERN_LENGTH || !isWellFormed(value)) {
      return { problem: `an event type is text of 1 to ${MAX_PATTERN_LENGTH} characters` };
    }
  }
  return values as readonly string[];
}

function covers(prefix: string, pattern: string): boolean {
  if (isPrefix(pattern)) return withoutStar(pattern) !== prefix && withoutStar(pattern).startsWith(prefix);
  return pattern.startsWith(prefix);
}
