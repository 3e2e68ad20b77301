/**
 * Patterns: filters as JSON data, with the semantics of Amazon EventBridge, so that they can be stored, sent and read.
 *
 * A pattern names fields and, for each, a list of matchers. A field matches where any of its matchers matches any of
 * its leaves; a pattern matches where all of its fields match. At the top stand the event's attributes as they are on
 * the wire (`type`, `source`, `priority`, `timestamp`, `subject`, `correlation_id`, `causation_id`, `id`) and `data`.
 *
 * - A *leaf* is a string, number, boolean or null. Arrays are transparent: their elements' leaves are the field's own.
 *   `[]` and `{}` have no leaf, so that the field counts as absent; `null` is a leaf and counts as present.
 * - Array consistency: two fields never match through different elements of one array of objects.
 * - `exists` looks at leaves, all over the event. `anything-but` needs a leaf: it is false where the field is absent.
 * - Text matchers match strings alone and numeric ones numbers alone: `"3"` is no number.
 * - The key `"a.b"` is `b` inside of `a`, in the pattern and in the event. `"$or"` is always the operator.
 * - `timestamp` is ISO 8601 text for all matchers but `numeric`, which sees ms since the Unix epoch.
 *
 * @example
 * const large: Pattern = { type: ['order.placed'], data: { total: [{ numeric: ['>=', 100] }], country: ['CH', 'AT'] } };
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */

export interface Pattern {
  readonly id?: Matchers;
  readonly type?: Matchers;
  readonly source?: Matchers;
  readonly timestamp?: Matchers;
  readonly priority?: Matchers;
  readonly correlation_id?: Matchers;
  readonly causation_id?: Matchers;
  readonly subject?: Matchers;
  readonly data?: Matchers | DataPattern;
  /** `data.` and the rest of the path. */
  readonly [path: `data.${string}`]: Matchers | DataPattern;
  /** Two patterns or more, of which one must match. */
  readonly $or?: readonly Pattern[];
}

export interface DataPattern {
  readonly $or?: readonly DataPattern[];
  readonly [field: string]: Matchers | DataPattern | readonly DataPattern[] | undefined;
}

/** One at least: any of them is enough. */
export type Matchers = readonly Matcher[];

export type Matcher =
  | Leaf
  | { readonly prefix: TextOrIgnoreCase }
  | { readonly suffix: TextOrIgnoreCase }
  | { readonly 'equals-ignore-case': string }
  /** `*` is any text, also none; `\*` and `\\` are the characters themselves. */
  | { readonly wildcard: string }
  | { readonly numeric: NumericRange }
  | { readonly exists: boolean }
  /** Such as `10.0.0.0/8` or `2001:db8::/32`. An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) counts as IPv4. */
  | { readonly cidr: string }
  | { readonly 'anything-but': AnythingBut };

export type Leaf = string | number | boolean | null;

export type TextOrIgnoreCase = string | { readonly 'equals-ignore-case': string };

/** One comparison, or a lower bound and then an upper one. */
export type NumericRange =
  | readonly ['=' | '<' | '<=' | '>' | '>=', number]
  | readonly ['>' | '>=', number, '<' | '<=', number];

/** What a leaf must not be, or do. Strings and numbers are not mixed in one list. */
export type AnythingBut =
  | string
  | number
  | readonly string[]
  | readonly number[]
  | { readonly prefix: string | readonly string[] }
  | { readonly suffix: string | readonly string[] }
  | { readonly 'equals-ignore-case': string | readonly string[] }
  | { readonly wildcard: string | readonly string[] };

/** What a pattern may be at most. Beyond it, `pattern.invalid`. */
export const patternLimits = {
  /** Patterns without `$or` that its `$or`s multiply out to. */
  alternatives: 1000,
  /** Fields of one alternative. */
  fields: 30,
  /** Matchers, in all alternatives together. */
  matchers: 10_000,
  /** Characters of one text in it. */
  text: 1024,
  /** Objects inside one another. */
  depth: 50,
} as const;
