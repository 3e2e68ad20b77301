/** Which events a subscription is for: some types, or a pattern of the router's language. */
import type { Event } from '../../../src/event/event.ts';
import { compileCondition, type EventPredicate } from '../../../src/routing/condition.ts';
import { explainRule, type FailedCondition } from '../../../src/routing/explain.ts';
import type { Pattern } from '../../../src/routing/pattern.ts';

export type Selection = { readonly eventTypes: readonly string[] } | { readonly pattern: Pattern };

export interface Selector {
  /** Where given, no event of another type matches: the log looks up no others. */
  readonly types: readonly string[] | undefined;
  readonly matches: EventPredicate;
}

export function compileSelection(selection: Selection): Selector {
  return { types: typesOf(selection), matches: compileCondition(patternOf(selection)) };
}

/** Whether the event is selected; where it is not, what it lacks. */
export function explainSelection(
  selection: Selection,
  event: Event,
): { readonly matched: boolean; readonly failed?: FailedCondition } {
  const rule = { id: 'subscription', target: 'callback', condition: patternOf(selection) };
  const { matched, failed } = explainRule(rule, event);
  return { matched, ...(failed && { failed }) };
}

function patternOf(selection: Selection): Pattern {
  return 'pattern' in selection ? selection.pattern : { type: selection.eventTypes };
}

function typesOf(selection: Selection): readonly string[] | undefined {
  if ('eventTypes' in selection) return selection.eventTypes;
  const { type } = selection.pattern;
  const texts = type?.filter((matcher) => typeof matcher === 'string');
  return texts !== undefined && texts.length === type?.length ? texts : undefined;
}
