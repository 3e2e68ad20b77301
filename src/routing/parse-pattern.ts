/** Reads a pattern into its alternatives: its `$or`s multiplied out, so that each is fields that must all match. */
import { isAttribute } from './event-attributes.ts';
import { parseMatcher } from './parse-matcher.ts';
import { patternLimits } from './pattern.ts';
import { PatternTrail } from './pattern-trail.ts';
import { Kind, type Term } from './term.ts';

/** A field and its terms, one of which must be true of one of the field's leaves. */
export interface FieldCondition {
  /** Keys joined by dots, in the wire form. */
  readonly path: string;
  readonly terms: readonly Term[];
}

export type Alternative = readonly FieldCondition[];

/** Where `numeric` finds the timestamp. No pattern can name it: no attribute is called so. */
export const TIMESTAMP_MS = 'timestamp_ms';

/** @throws MillraceError `pattern.invalid`, whose `path` is the JSON pointer into the pattern. */
export function parsePattern(pattern: unknown): readonly Alternative[] {
  const reader = new PatternReader();
  return reader.object(pattern, '', [[]], 0);
}

type Growing = FieldCondition[][];

class PatternReader {
  readonly #trail = new PatternTrail();

  /** The alternatives, each grown by the object's fields: those of `before` are the reader's to change. */
  object(value: unknown, prefix: string, before: Growing, depth: number): Growing {
    if (!isObject(value)) return this.#trail.fail(value, 'must be an object of fields');
    if (depth > patternLimits.depth)
      return this.#trail.fail(value, `must be ${patternLimits.depth} deep at most`);
    let alternatives = before;
    let fields = 0;
    for (const key of Object.keys(value)) {
      fields++;
      this.#trail.enter(key);
      alternatives = this.#entry(
        key,
        (value as Record<string, unknown>)[key],
        prefix,
        alternatives,
        depth,
      );
      this.#trail.leave();
    }
    if (fields === 0)
      return this.#trail.fail(value, 'must have a field: leave the pattern out to match everything');
    return alternatives;
  }

  #entry(key: string, value: unknown, prefix: string, before: Growing, depth: number): Growing {
    if (key === '$or') return this.#or(value, prefix, before, depth);
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (prefix === '') this.#checkRoot(key, isObject(value));
    if (!Array.isArray(value)) {
      if (isObject(value)) return this.object(value, path, before, depth + 1);
      return this.#trail.fail(value, 'must be a list of matchers, or an object of fields');
    }
    return this.#field(path, value, before);
  }

  #or(branches: unknown, prefix: string, before: Growing, depth: number): Growing {
    if (!Array.isArray(branches) || branches.length < 2)
      return this.#trail.fail(branches, 'must be a list of two patterns or more');
    const alternatives: Growing = [];
    for (const [i, branch] of branches.entries()) {
      this.#trail.enter(i);
      const copies = before.map((alternative) => [...alternative]);
      alternatives.push(...this.object(branch, prefix, copies, depth + 1));
      this.#trail.leave();
      this.#checkAlternatives(alternatives.length);
    }
    return alternatives;
  }

  #field(path: string, matchers: readonly unknown[], before: Growing): Growing {
    if (matchers.length === 0) return this.#trail.fail(matchers, 'must have a matcher');
    this.#trail.count(matchers.length * before.length);
    const terms: Term[] = [];
    for (let i = 0; i < matchers.length; i++) {
      this.#trail.enter(i);
      terms.push(parseMatcher(matchers[i], this.#trail));
      this.#trail.leave();
    }
    if (path === 'timestamp') return this.#timestamp(terms, before);
    return this.#and(before, { path, terms });
  }

  /** `numeric` looks at ms, everything else at text: what asks for both asks for one of two. */
  #timestamp(terms: readonly Term[], before: Growing): Growing {
    const numeric = terms.filter((term) => term.kind === Kind.numeric);
    const others = terms.filter((term) => term.kind !== Kind.numeric);
    if (others.length === 0) return this.#and(before, { path: TIMESTAMP_MS, terms: numeric });
    const copies = numeric.length === 0 ? [] : before.map((alternative) => [...alternative]);
    this.#checkAlternatives(before.length + copies.length);
    return [
      ...this.#and(before, { path: 'timestamp', terms: others }),
      ...this.#and(copies, { path: TIMESTAMP_MS, terms: numeric }),
    ];
  }

  #and(alternatives: Growing, condition: FieldCondition): Growing {
    for (const alternative of alternatives) {
      if (alternative.length === patternLimits.fields)
        this.#trail.fail(
          undefined,
          `is one field too many: ${patternLimits.fields} must match together at most`,
        );
      alternative.push(condition);
    }
    return alternatives;
  }

  #checkAlternatives(count: number): void {
    if (count > patternLimits.alternatives)
      this.#trail.fail(
        undefined,
        `multiplies out to more than ${patternLimits.alternatives} alternatives`,
      );
  }

  #checkRoot(key: string, nested: boolean): void {
    const dot = key.indexOf('.');
    const root = dot < 0 ? key : key.slice(0, dot);
    if (!isAttribute(root))
      this.#trail.fail(
        undefined,
        'is no attribute of an event: what an event carries is inside of data',
      );
    if (root !== 'data' && (nested || dot >= 0))
      this.#trail.fail(undefined, 'must be a list of matchers: an attribute has no fields');
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
