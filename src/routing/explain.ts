/** Says why a rule matches an event, or which of its conditions fails. */
import type { Event } from '../event/event.ts';
import { holdTogether } from './array-consistency.ts';
import { EventFields } from './event-fields.ts';
import { TIMESTAMP_MS, type Alternative, type FieldCondition } from './parse-pattern.ts';
import type { Leaf } from './pattern.ts';
import { alternativesOf, type RoutingRule } from './routing-rule.ts';
import { Kind, testTerm } from './term.ts';

export interface Explanation {
  readonly rule: RoutingRule;
  readonly matched: boolean;
  /** Where it did not match. */
  readonly failed?: FailedCondition;
}

export interface FailedCondition {
  /**
   * `field`: no leaf of the field is what the pattern asks for. `array`: each field is, but not in one element of an
   * array. `function`: the rule's function said no; `error`: it threw.
   */
  readonly reason: 'field' | 'array' | 'function' | 'error';
  /** The field, its keys joined by dots. */
  readonly path?: string;
  /** The field's leaves: none, where it is absent. */
  readonly actual?: readonly Leaf[];
  readonly error?: unknown;
}

/** Of several alternatives (`$or`), the failure of the one that came furthest. */
export function explainRule(rule: RoutingRule, event: Event): Explanation {
  const alternatives = alternativesOf(rule);
  const fields = readFields(alternatives, event);
  let furthest = -1;
  let failed: FailedCondition | undefined;
  for (const alternative of alternatives) {
    const held = alternative.findIndex((condition) => !holds(condition, fields));
    if (held < 0 && isConsistent(alternative, fields)) return explainFunction(rule, event);
    const reached = held < 0 ? alternative.length : held;
    if (reached <= furthest) continue;
    furthest = reached;
    failed = held < 0 ? { reason: 'array' } : failedField(alternative[held]!, fields);
  }
  return { rule, matched: false, ...(failed && { failed }) };
}

function explainFunction(rule: RoutingRule, event: Event): Explanation {
  if (typeof rule.condition !== 'function') return { rule, matched: true };
  try {
    return rule.condition(event)
      ? { rule, matched: true }
      : { rule, matched: false, failed: { reason: 'function' } };
  } catch (error) {
    return { rule, matched: false, failed: { reason: 'error', error } };
  }
}

function readFields(alternatives: readonly Alternative[], event: Event): EventFields {
  const fields = new EventFields();
  for (const alternative of alternatives) for (const { path } of alternative) fields.acquire(path);
  fields.read(event);
  return fields;
}

function leavesOf(path: string, fields: EventFields): readonly Leaf[] {
  const field = fields.acquire(path);
  return fields.has(field) ? field.leaves.slice(0, field.count) : [];
}

function holds({ path, terms }: FieldCondition, fields: EventFields): boolean {
  const leaves = leavesOf(path, fields);
  if (leaves.length === 0) return terms.some((term) => term.kind === Kind.absent);
  return leaves.some((leaf) => terms.some((term) => testTerm(term, leaf)));
}

function isConsistent(alternative: Alternative, fields: EventFields): boolean {
  const places = alternative.map(({ path, terms }) => {
    const { elements } = fields.acquire(path);
    return leavesOf(path, fields).flatMap((leaf, i) =>
      terms.some((term) => testTerm(term, leaf)) ? [elements[i]!] : [],
    );
  });
  return holdTogether(
    places.filter((elements) => elements.length > 0),
    fields,
  );
}

function failedField({ path }: FieldCondition, fields: EventFields): FailedCondition {
  const named = path === TIMESTAMP_MS ? 'timestamp' : path;
  return { reason: 'field', path: named, actual: leavesOf(path, fields) };
}
