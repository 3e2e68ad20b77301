/** Reads one matcher of a pattern. */
import { parseBlock } from './address.ts';
import { nextAbove, nextBelow } from './adjacent-number.ts';
import { foldCase } from './letter-case.ts';
import { patternLimits, type Leaf } from './pattern.ts';
import type { PatternTrail } from './pattern-trail.ts';
import { Kind, Term } from './term.ts';
import { parseWildcard } from './wildcard.ts';

const IGNORE_CASE = 'equals-ignore-case';

type ParseTerm = (value: unknown, trail: PatternTrail) => Term;

/** @throws MillraceError `pattern.invalid` */
export function parseMatcher(value: unknown, trail: PatternTrail): Term {
  if (typeof value !== 'object' || value === null) return parseLeaf(value, trail);
  const [name, argument] = onlyEntry(value, trail);
  const parse = operators[name];
  if (parse === undefined || !Object.hasOwn(operators, name))
    return trail.fail(
      value,
      `has an operator that there is not, ${JSON.stringify(name)}; there are ${NAMES}`,
    );
  trail.enter(name);
  const term = parse(argument, trail);
  trail.leave();
  return term;
}

function parseLeaf(value: unknown, trail: PatternTrail): Term {
  if (typeof value === 'string') return new Term(Kind.exact, text(value, trail));
  const leaf = value === null || typeof value === 'boolean' || Number.isFinite(value);
  if (!leaf)
    return trail.fail(value, 'must be a string, a finite number, true, false, null, or an operator');
  return new Term(Kind.exact, value as Leaf);
}

const operators: Readonly<Record<string, ParseTerm>> = {
  prefix: (value, trail) => parseAffix(value, trail, Kind.prefix, Kind.prefixIgnoreCase),
  suffix: (value, trail) => parseAffix(value, trail, Kind.suffix, Kind.suffixIgnoreCase),
  [IGNORE_CASE]: (value, trail) => new Term(Kind.ignoreCase, foldCase(text(value, trail))),
  wildcard: parseWildcardTerm,
  numeric: parseNumeric,
  exists(value, trail) {
    if (typeof value !== 'boolean') return trail.fail(value, 'must be true or false');
    return new Term(value ? Kind.exists : Kind.absent, null);
  },
  cidr(value, trail) {
    const block = parseBlock(text(value, trail));
    if (block === undefined)
      return trail.fail(value, 'must be an IPv4 or IPv6 block, such as 10.0.0.0/8 or 2001:db8::/32');
    return new Term(Kind.cidr, block.key, block);
  },
  'anything-but': parseAnythingBut,
};
const NAMES = Object.keys(operators).join(', ');

function parseAffix(value: unknown, trail: PatternTrail, plain: Kind, ignoringCase: Kind): Term {
  if (typeof value !== 'object' || value === null) return new Term(plain, text(value, trail));
  const [name, argument] = onlyEntry(value, trail);
  if (name !== IGNORE_CASE)
    return trail.fail(value, `must be a string, or {"${IGNORE_CASE}": a string}`);
  return trail.inside(name, () => new Term(ignoringCase, foldCase(text(argument, trail))));
}

function parseWildcardTerm(value: unknown, trail: PatternTrail): Term {
  const given = text(value, trail);
  const parsed = parseWildcard(given);
  if ('reason' in parsed) return trail.fail(value, parsed.reason);
  return 'literal' in parsed
    ? new Term(Kind.exact, parsed.literal)
    : new Term(Kind.wildcard, given, parsed.wildcard);
}

function parseNumeric(value: unknown, trail: PatternTrail): Term {
  if (!Array.isArray(value) || (value.length !== 2 && value.length !== 4))
    return trail.fail(value, 'must be [comparison, number], or a lower and then an upper one');
  const numbers = [value[1], value[3]] as readonly unknown[];
  for (let i = 1; i < value.length; i += 2) {
    if (!Number.isFinite(value[i]))
      trail.inside(i, () => trail.fail(value[i], 'must be a finite number'));
  }
  const [first, second] = numbers as readonly number[];
  if (value.length === 2 && value[0] === '=') return new Term(Kind.exact, first!);
  const low = lowerBound(value[0], first!);
  const high = value.length === 4 ? upperBound(value[2], second!) : upperBound(value[0], first!);
  if (
    value.length === 4
      ? low === undefined || high === undefined
      : low === undefined && high === undefined
  )
    return trail.fail(
      value,
      'must compare by =, <, <=, > or >=; of two, the first by > or >=, the second by < or <=',
    );
  const interval = { low: low ?? -Infinity, high: high ?? Infinity };
  if (interval.low > interval.high)
    return trail.fail(value, 'must be a range that holds a number: its bounds are reversed');
  return new Term(Kind.numeric, value.join(' '), interval);
}

function lowerBound(comparison: unknown, value: number): number | undefined {
  if (comparison === '>=') return value;
  return comparison === '>' ? nextAbove(value) : undefined;
}

function upperBound(comparison: unknown, value: number): number | undefined {
  if (comparison === '<=') return value;
  return comparison === '<' ? nextBelow(value) : undefined;
}

const excluded: Readonly<Record<string, ParseTerm>> = {
  prefix: (value, trail) => new Term(Kind.prefix, someText(value, trail)),
  suffix: (value, trail) => new Term(Kind.suffix, someText(value, trail)),
  [IGNORE_CASE]: operators[IGNORE_CASE]!,
  wildcard: parseWildcardTerm,
};

function parseAnythingBut(value: unknown, trail: PatternTrail): Term {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return exclusion('', listOf(value, trail, parseExcludedLeaf));
  }
  const [name, argument] = onlyEntry(value, trail);
  const parse = Object.hasOwn(excluded, name) ? excluded[name] : undefined;
  if (parse === undefined)
    return trail.fail(
      value,
      `must be a leaf, a list of them, or one of ${Object.keys(excluded).join(', ')}`,
    );
  return trail.inside(name, () => exclusion(name, listOf(argument, trail, parse)));
}

function listOf(value: unknown, trail: PatternTrail, parse: ParseTerm): readonly Term[] {
  if (!Array.isArray(value)) return [parse(value, trail)];
  if (value.length === 0) return trail.fail(value, 'must not be an empty list');
  const terms = value.map((one: unknown, i) => trail.inside(i, () => parse(one, trail)));
  trail.count(terms.length);
  const mixed = terms.findIndex((term) => typeof term.key !== typeof terms[0]!.key);
  if (mixed >= 0)
    trail.inside(mixed, () =>
      trail.fail(value[mixed], 'must be of one kind: all strings, or all numbers'),
    );
  return terms;
}

function parseExcludedLeaf(value: unknown, trail: PatternTrail): Term {
  if (typeof value !== 'string' && typeof value !== 'number')
    return trail.fail(value, 'must be a string or a number');
  return parseLeaf(value, trail);
}

function exclusion(name: string, terms: readonly Term[]): Term {
  const key = `${name} ${terms
    .map((term) => JSON.stringify([term.kind, term.key]))
    .toSorted()
    .join()}`;
  const values = new Set(terms.filter((term) => term.kind === Kind.exact).map((term) => term.key));
  return new Term(Kind.anythingBut, key, {
    values,
    terms: terms.filter((term) => term.kind !== Kind.exact),
  });
}

function onlyEntry(value: object, trail: PatternTrail): readonly [string, unknown] {
  const [name, more] = Array.isArray(value) ? [] : Object.keys(value);
  if (name === undefined || more !== undefined)
    return trail.fail(value, `must be one operator; there are ${NAMES}`);
  return [name, (value as Record<string, unknown>)[name]];
}

function someText(value: unknown, trail: PatternTrail): string {
  return text(value, trail) === '' ? trail.fail(value, 'must not be empty') : (value as string);
}

function text(value: unknown, trail: PatternTrail): string {
  if (typeof value !== 'string') return trail.fail(value, 'must be a string');
  if (value.length > patternLimits.text)
    return trail.fail(
      value,
      `must be ${patternLimits.text} characters long at most, and is ${value.length}`,
    );
  return value;
}
