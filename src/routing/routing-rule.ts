/** Rules: which events go where. */
import { hasCode, MillraceError } from '../errors.ts';
import { deepFreeze } from '../event/freeze.ts';
import type { Condition } from './condition.ts';
import { checkName, routingInvalid } from './invalid.ts';
import { parsePattern, type Alternative } from './parse-pattern.ts';
import { Kind, Term } from './term.ts';

export interface RoutingRule {
  readonly id: string;
  /** The source that the event must have, to the letter. Default: any. */
  readonly source?: string | undefined;
  /** A pattern is not to be changed afterwards. Default: every event. */
  readonly condition?: Condition | undefined;
  /** The name of a target, or `topic:` and a topic's. */
  readonly target: string;
  /** Higher ones come first; of the same, the one added first. Default: 0. */
  readonly priority?: number | undefined;
  /** How long the target may take. Default: as long as it takes. */
  readonly timeoutMs?: number | undefined;
  readonly description?: string | undefined;
}

/** Longer than a timer can wait. */
const MAX_TIMEOUT_MS = 2_147_483_647;
const MAX_DESCRIPTION_LENGTH = 10_000;

/**
 * The rule, with nothing in it that a rule does not have.
 *
 * @throws MillraceError `routing.invalid`
 */
export function checkRule(given: unknown): RoutingRule {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw routingInvalid('', given, 'must be a rule: an object with an id and a target');
  const { id, source, condition, target, priority, timeoutMs, description } = given as RoutingRule;
  checkName('/id', id);
  checkName('/target', target);
  if (source !== undefined && (typeof source !== 'string' || source === ''))
    throw routingInvalid('/source', source, 'must be a non-empty text; leave it out for any source');
  if (priority !== undefined && !Number.isFinite(priority))
    throw routingInvalid('/priority', priority, 'must be a finite number');
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS))
    throw routingInvalid(
      '/timeoutMs',
      timeoutMs,
      `must be ms, more than 0 and at most ${MAX_TIMEOUT_MS}`,
    );
  if (
    description !== undefined &&
    (typeof description !== 'string' || description.length > MAX_DESCRIPTION_LENGTH)
  )
    throw routingInvalid(
      '/description',
      description,
      `must be a text of at most ${MAX_DESCRIPTION_LENGTH} characters`,
    );
  if (
    condition !== undefined &&
    typeof condition !== 'function' &&
    (typeof condition !== 'object' || condition === null)
  )
    throw routingInvalid('/condition', condition, 'must be a pattern or a function');
  return deepFreeze({ id, source, condition, target, priority, timeoutMs, description });
}

/**
 * What the rule's event must have, as far as it is data: a function is asked besides.
 *
 * @throws MillraceError `pattern.invalid`
 */
export function alternativesOf({ id, source, condition }: RoutingRule): readonly Alternative[] {
  const alternatives =
    condition === undefined || typeof condition === 'function' ? [[]] : parseOwn(id, condition);
  if (source === undefined) return alternatives;
  const bySource = { path: 'source', terms: [new Term(Kind.exact, source)] };
  return alternatives.map((alternative) => [bySource, ...alternative]);
}

function parseOwn(id: string, pattern: unknown): readonly Alternative[] {
  try {
    return parsePattern(pattern);
  } catch (error) {
    if (!hasCode(error, 'pattern.invalid')) throw error;
    throw new MillraceError(error.code, `rule ${JSON.stringify(id)}: ${error.message}`, {
      ...error.details,
      rule: id,
    });
  }
}

/** By priority, the higher first, then in the order of adding. */
export interface RankedRule {
  readonly rule: RoutingRule;
  readonly order: number;
}

export function compareRanks(a: RankedRule, b: RankedRule): number {
  return (b.rule.priority ?? 0) - (a.rule.priority ?? 0) || a.order - b.order;
}
