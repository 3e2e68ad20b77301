/** Which events somebody wants: said in a query's words to read, in a subscription's words to be delivered to. */
import { isTopicPattern, topicMatches } from '../bus/topic-pattern.ts';
import { formatTimestamp } from '../event/timestamp.ts';
import type { Matcher, Pattern } from '../routing/pattern.ts';

/** All that is given must hold. Nothing given chooses everything. */
export interface EventChoice {
  /** Types, or topic patterns over types (`order.*`, `#`). Not together with `pattern`. */
  readonly types?: string | readonly string[] | undefined;
  readonly pattern?: Pattern | undefined;
  readonly source?: string | undefined;
  readonly subject?: string | undefined;
  readonly correlationId?: string | undefined;
  /** Event time, inclusive, in ms. */
  readonly from?: number | undefined;
  /** Event time, exclusive, in ms. */
  readonly to?: number | undefined;
  /** What the rules of this target match now. */
  readonly target?: string | undefined;
}

/** What a subscription delivers: types to the letter, or what a pattern matches. */
export type Selection = { readonly types: readonly string[] } | { readonly pattern: Pattern };

/** The most types that the edge takes by name. */
const MOST_TYPES = 100;

/** As the edge selects it. Of topic patterns it selects more than they do: see `matchesTypes`. */
export function selectionOf(types: readonly string[]): Selection {
  if (!types.some(isTopicPattern) && types.length <= MOST_TYPES) return { types };
  return { pattern: { type: types.map(matcherOf) } };
}

/** Whether one of the types, or of the topic patterns, is the event's. */
export function matchesTypes(types: readonly string[], type: string): boolean {
  return types.some((one) => (isTopicPattern(one) ? topicMatches(one, type) : one === type));
}

/** What is left to look at of what the edge sends: it knows no words. */
export function remainderOf({ types }: EventChoice): (event: { readonly type: string }) => boolean {
  const given = listOf(types);
  return given?.some(isTopicPattern) ? ({ type }) => matchesTypes(given, type) : () => true;
}

/** As the members of a query, without a `?`. */
export function queryOf(choice: EventChoice): string {
  const { source, subject, correlationId, from, to, target } = choice;
  const selection = chosenBy(choice);
  const members: (readonly [string, string | undefined])[] = [
    ...('types' in selection ? selection.types.map((type) => ['type', type] as const) : []),
    ['pattern', 'pattern' in selection ? JSON.stringify(selection.pattern) : undefined],
    ['source', source],
    ['subject', subject],
    ['correlation_id', correlationId],
    ['from', from === undefined ? undefined : formatTimestamp(from)],
    ['to', to === undefined ? undefined : formatTimestamp(to)],
    ['target', target],
  ];
  return members
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]))
    .join('&');
}

function chosenBy({ types, pattern }: EventChoice): Selection {
  if (pattern !== undefined) return { pattern };
  return selectionOf(listOf(types) ?? []);
}

function listOf(types: EventChoice['types']): readonly string[] | undefined {
  return typeof types === 'string' ? [types] : types;
}

/** The edge's `*` is any text, dots included; what it matches too much, its receiver leaves out. */
function matcherOf(type: string): Matcher {
  if (!isTopicPattern(type)) return type;
  const wildcard = type
    .replaceAll('\\', '\\\\')
    .replaceAll(/\.?#\.?/g, '*')
    .replaceAll(/\*+/g, '*');
  return wildcard === '*' ? { exists: true } : { wildcard };
}
