/**
 * An event that somebody publishes: the line that is stored of it, or what is wrong with it, by JSON pointer. Whatever is
 * plainly sound is known in one pass; all else goes through the schema and the model, which say what is wrong.
 */
import { hasCode } from '../../src/errors.ts';
import { eventLimits, makeEvent } from '../../src/event/event.ts';
import { DEFAULT_PRIORITY } from '../../src/event/priority.ts';
import { encodeLine, writeLine } from '../../src/event/wire.ts';
import { problemsOf } from './parse.ts';
import type { FieldProblem, ProblemCode } from './problem.ts';
import type { BroughtEvent } from './published-body.ts';
import { newEvent, type NewEvent } from './schema.ts';
import { fieldsOf, isSoundEvent, type SoundDefaults } from './sound-event.ts';

/** What can be stored, or why it cannot. `untimed`: it has an id of its own, and its time from the edge. */
export type Checked =
  | { readonly line: string; readonly untimed: boolean }
  | { readonly code: ProblemCode; readonly errors: readonly FieldProblem[] };

export function checkEvent(brought: BroughtEvent, defaults: SoundDefaults): Checked {
  const { value, problem } = brought;
  if (problem !== undefined) return { code: 'event.invalid', errors: [problem] };
  if (!isSoundEvent(value)) return explainEvent(brought, defaults);
  const line = writeLine(fieldsOf(value, defaults));
  if (line.length > eventLimits.line) return explainEvent(brought, defaults);
  return { line, untimed: value.id != null && value.timestamp == null };
}

/** The same, slowly, and with what is wrong. */
export function explainEvent({ value, pointer, own }: BroughtEvent, defaults: SoundDefaults): Checked {
  const result = newEvent.safeParse(value);
  if (!result.success) {
    const errors = problemsOf(result.error).map((one) => ({
      ...one,
      pointer: pointer + own(one.pointer),
    }));
    return { code: 'event.invalid', errors };
  }
  const { data: event } = result;
  try {
    return { line: encode(event, defaults), untimed: event.id != null && event.timestamp == null };
  } catch (error) {
    return failureOf(error, pointer, own);
  }
}

function failureOf(error: unknown, pointer: string, own: BroughtEvent['own']): Checked {
  if (hasCode(error, 'event.invalid')) {
    const { path, reason } = error.details;
    return { code: error.code, errors: [{ pointer: pointer + own(path), detail: reason }] };
  }
  if (hasCode(error, 'limit.exceeded')) {
    const { actual, maximum } = error.details;
    const detail = `is an event of ${actual} characters, the limit is ${maximum}: store large content elsewhere and refer to it`;
    return { code: error.code, errors: [{ pointer, detail }] };
  }
  throw error;
}

function encode(event: NewEvent, { nextId, now, traceparent }: SoundDefaults): string {
  return encodeLine(
    makeEvent({
      id: event.id ?? nextId(),
      type: event.type,
      data: event.data,
      timestamp: event.timestamp ?? now,
      source: event.source,
      priority: event.priority ?? DEFAULT_PRIORITY,
      correlationId: event.correlation_id ?? undefined,
      causationId: event.causation_id ?? undefined,
      subject: event.subject ?? undefined,
      traceparent: event.traceparent ?? traceparent,
    }),
  );
}
